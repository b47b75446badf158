//! Values and calls, inside a callback.

use std::ffi::{CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr;

use napi::sys;

/// Arguments of a raw function, at most.
pub(super) const ARGUMENTS: usize = 6;

/// A JS value, valid in its [`Scope`].
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(in crate::binding) struct Value<'s>(pub(super) sys::napi_value, PhantomData<&'s ()>);

impl Value<'_> {
    /// # Safety
    /// The handle is valid for the lifetime that the caller gives it, or is only passed on to be written to.
    pub(super) unsafe fn new(handle: sys::napi_value) -> Self {
        Self(handle, PhantomData)
    }
}

/// Why a call failed.
#[derive(Debug)]
pub(in crate::binding) enum Failure {
    /// To be thrown with this code and message.
    Throw(&'static str, &'static str),
    /// Node-API refused: an exception was thrown, or the environment is going away.
    Refused,
    /// A panic has hit the connection, which ends, and is told to have: nothing is thrown.
    Broken,
}

pub(super) type Outcome<T> = Result<T, Failure>;

pub(super) fn check(status: sys::napi_status) -> Outcome<()> {
    if status == sys::Status::napi_ok {
        Ok(())
    } else {
        Err(Failure::Refused)
    }
}

/// A callback's window into JavaScript: `'s` is the time that its handles are valid for.
#[derive(Clone, Copy)]
pub(in crate::binding) struct Scope<'s> {
    pub(super) env: sys::napi_env,
    callback: PhantomData<&'s ()>,
    /// No JavaScript is below on the stack, so ticks and microtasks must run when a call returns.
    outermost: bool,
}

impl<'s> Scope<'s> {
    /// The scope of a `#[napi]` function.
    pub(in crate::binding) fn of(env: &'s napi::Env) -> Self {
        Self {
            env: env.raw(),
            callback: PhantomData,
            outermost: false,
        }
    }

    /// Runs `body` in the scope of a callback, which nothing that belongs to the scope can leave. `outermost`: it is a
    /// callback that Node does not know of (libuv's).
    ///
    /// # Safety
    /// `env` is alive, and a callback of it runs on its thread.
    pub(super) unsafe fn enter<T>(
        env: sys::napi_env,
        outermost: bool,
        body: impl for<'c> FnOnce(Scope<'c>) -> T,
    ) -> T {
        body(Scope {
            env,
            callback: PhantomData,
            outermost,
        })
    }

    /// A handle that Node-API has just given.
    fn own(self, handle: sys::napi_value) -> Value<'s> {
        Value(handle, PhantomData)
    }

    pub(in crate::binding) fn i32(self, value: Value<'_>) -> Outcome<i32> {
        let mut number = 0;
        // SAFETY: `env` and `value` belong to the running callback; `number` outlives the call.
        check(unsafe { sys::napi_get_value_int32(self.env, value.0, &mut number) })?;
        Ok(number)
    }

    pub(in crate::binding) fn f64(self, value: Value<'_>) -> Outcome<f64> {
        let mut number = 0.0;
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_get_value_double(self.env, value.0, &mut number) })?;
        Ok(number)
    }

    pub(in crate::binding) fn bool(self, value: Value<'_>) -> Outcome<bool> {
        let mut truth = false;
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_get_value_bool(self.env, value.0, &mut truth) })?;
        Ok(truth)
    }

    pub(in crate::binding) fn is_string(self, value: Value<'_>) -> bool {
        let mut kind = 0;
        // SAFETY: as in `i32`.
        let status = unsafe { sys::napi_typeof(self.env, value.0, &mut kind) };
        status == sys::Status::napi_ok && kind == sys::ValueType::napi_string
    }

    /// Replaces the contents of `into` by the string's, latin1 (each code unit cut to its low byte) or UTF-8.
    pub(in crate::binding) fn string(
        self,
        value: Value<'_>,
        utf8: bool,
        into: &mut Vec<u8>,
    ) -> Outcome<()> {
        let read = if utf8 {
            sys::napi_get_value_string_utf8
        } else {
            sys::napi_get_value_string_latin1
        };
        into.clear();
        into.reserve(1024);
        loop {
            let capacity = into.capacity();
            let mut len = 0;
            // SAFETY: at most `capacity` bytes, with the final NUL, are written to the spare capacity of an
            // empty Vec; then `len` bytes of it are initialised.
            unsafe {
                check(read(
                    self.env,
                    value.0,
                    into.as_mut_ptr().cast::<c_char>(),
                    capacity,
                    &mut len,
                ))?;
                // UTF-8 may stop up to three bytes short of a character that does not fit.
                if len + 4 < capacity {
                    into.set_len(len);
                    return Ok(());
                }
                check(read(self.env, value.0, ptr::null_mut(), 0, &mut len))?;
            }
            into.reserve(len + 5);
        }
    }

    /// The bytes of a Uint8Array. JavaScript must not be called while they are in use: it could transfer the memory.
    pub(in crate::binding) fn bytes(self, value: Value<'s>) -> Outcome<&'s [u8]> {
        let (mut kind, mut len, mut data) = (0, 0, ptr::null_mut());
        // SAFETY: out pointers outlive the call, those not wanted are null as the API allows.
        check(unsafe {
            sys::napi_get_typedarray_info(
                self.env,
                value.0,
                &mut kind,
                &mut len,
                &mut data,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        })
        .map_err(|_| {
            Failure::Throw(
                "ERR_INVALID_ARG_TYPE",
                "the chunk must be a string or a Uint8Array",
            )
        })?;
        if kind != sys::TypedarrayType::uint8_array {
            return Err(Failure::Throw(
                "ERR_INVALID_ARG_TYPE",
                "the chunk must be a Uint8Array",
            ));
        }
        if len == 0 || data.is_null() {
            return Ok(&[]);
        }
        // SAFETY: a Uint8Array of `len` elements has `len` bytes at `data`; the array is an argument of the
        // running callback, so it is alive, and nothing else runs on its thread meanwhile.
        Ok(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), len) })
    }

    fn global(self) -> Outcome<Value<'s>> {
        let mut value = ptr::null_mut();
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_get_global(self.env, &mut value) })?;
        Ok(self.own(value))
    }

    pub(in crate::binding) fn number(self, number: f64) -> Outcome<Value<'s>> {
        let mut value = ptr::null_mut();
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_create_double(self.env, number, &mut value) })?;
        Ok(self.own(value))
    }

    pub(in crate::binding) fn integer(self, number: i32) -> Outcome<Value<'s>> {
        let mut value = ptr::null_mut();
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_create_int32(self.env, number, &mut value) })?;
        Ok(self.own(value))
    }

    pub(in crate::binding) fn latin1(self, text: &[u8]) -> Outcome<Value<'s>> {
        let mut value = ptr::null_mut();
        // SAFETY: `text` is readable for its length; V8 copies it.
        check(unsafe {
            sys::napi_create_string_latin1(
                self.env,
                text.as_ptr().cast::<c_char>(),
                text.len() as isize,
                &mut value,
            )
        })?;
        Ok(self.own(value))
    }

    /// A Buffer with a copy of the bytes.
    pub(in crate::binding) fn buffer(self, bytes: &[u8]) -> Outcome<Value<'s>> {
        let mut value = ptr::null_mut();
        // SAFETY: as in `latin1`; the copy's address is not wanted.
        check(unsafe {
            sys::napi_create_buffer_copy(
                self.env,
                bytes.len(),
                bytes.as_ptr().cast::<c_void>(),
                ptr::null_mut(),
                &mut value,
            )
        })?;
        Ok(self.own(value))
    }

    pub(in crate::binding) fn array(self) -> Outcome<Value<'s>> {
        let mut value = ptr::null_mut();
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_create_array(self.env, &mut value) })?;
        Ok(self.own(value))
    }

    pub(in crate::binding) fn set(
        self,
        array: Value<'_>,
        index: usize,
        value: Value<'_>,
    ) -> Outcome<()> {
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_set_element(self.env, array.0, index as u32, value.0) })
    }

    pub(in crate::binding) fn reference(self, value: Value<'_>) -> Outcome<Reference> {
        let mut reference = ptr::null_mut();
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_create_reference(self.env, value.0, 1, &mut reference) })?;
        Ok(Reference(reference))
    }

    pub(in crate::binding) fn dereference(self, reference: &Reference) -> Outcome<Value<'s>> {
        let mut value = ptr::null_mut();
        // SAFETY: the reference is strong and belongs to this environment.
        check(unsafe { sys::napi_get_reference_value(self.env, reference.0, &mut value) })?;
        Ok(self.own(value))
    }

    /// Runs `body` with a handle scope of its own, so that a long batch does not pile up handles.
    pub(in crate::binding) fn nested<T>(
        self,
        body: impl for<'n> FnOnce(Scope<'n>) -> Outcome<T>,
    ) -> Outcome<T> {
        let mut scope = ptr::null_mut();
        // SAFETY: opened and closed here, in order; no handle of its own leaves `body`, whose scope it belongs to.
        check(unsafe { sys::napi_open_handle_scope(self.env, &mut scope) })?;
        let result = body(Scope {
            callback: PhantomData,
            ..self
        });
        // SAFETY: see above.
        check(unsafe { sys::napi_close_handle_scope(self.env, scope) })?;
        result
    }

    /// Calls a function with one argument. It catches what its callees throw; should it throw itself, that is
    /// reported as uncaught.
    pub(in crate::binding) fn call(self, function: Value<'_>, argument: Value<'_>) -> Outcome<()> {
        let this = self.global()?;
        // SAFETY: handles of this scope; one argument at the address given. Without an async context
        // `napi_make_callback` uses the root one, which requests leave by AsyncResource.
        let status = unsafe {
            let (argc, argv, result) = (1, &raw const argument.0, ptr::null_mut());
            if self.outermost {
                sys::napi_make_callback(
                    self.env,
                    ptr::null_mut(),
                    this.0,
                    function.0,
                    argc,
                    argv,
                    result,
                )
            } else {
                sys::napi_call_function(self.env, this.0, function.0, argc, argv, result)
            }
        };
        if status != sys::Status::napi_pending_exception {
            return check(status);
        }
        self.report_pending()
    }

    /// Reports the exception that was thrown as uncaught.
    pub(super) fn report_pending(self) -> Outcome<()> {
        let mut error = ptr::null_mut();
        // SAFETY: an exception was thrown; this gets it and clears it.
        check(unsafe { sys::napi_get_and_clear_last_exception(self.env, &mut error) })?;
        self.report(self.own(error))
    }

    /// Reports an error as uncaught: 'uncaughtException', or the end of the process.
    pub(in crate::binding) fn report(self, error: Value<'_>) -> Outcome<()> {
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_fatal_exception(self.env, error.0) })
    }

    pub(super) fn throw(self, failure: &Failure) {
        let Failure::Throw(code, message) = failure else {
            let mut pending = false;
            // SAFETY: `env` belongs to the running callback.
            unsafe { sys::napi_is_exception_pending(self.env, &mut pending) };
            if !pending {
                self.throw(&Failure::Throw(
                    "ERR_HTTP_NATIVE",
                    "the native call was refused",
                ));
            }
            return;
        };
        let (Ok(code), Ok(message)) = (CString::new(*code), CString::new(*message)) else {
            return;
        };
        // SAFETY: NUL-terminated strings that outlive the call.
        unsafe { sys::napi_throw_error(self.env, code.as_ptr(), message.as_ptr()) };
    }
}

/// A strong reference, freed with its environment.
pub(in crate::binding) struct Reference(sys::napi_ref);
