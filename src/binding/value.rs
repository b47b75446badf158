//! The fence: all `unsafe` around Node-API is here (and [`super::uv`] has libuv's).
//!
//! The wrappers are sound under one rule, which Node-API keeps for us: a [`Scope`] and the [`Value`]s read
//! through it live no longer than the callback that they were given to, on the JS thread of their environment.
#![allow(unsafe_code, reason = "Node-API is a C interface")]

use std::ffi::{CStr, CString, c_char, c_void};
use std::os::fd::FromRawFd;
use std::panic::AssertUnwindSafe;
use std::ptr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use napi::sys;
use socket2::Socket;

use super::environment::Environment;

/// Arguments that a raw function takes at most.
const ARGUMENTS: usize = 6;

/// A JS value, valid in its [`Scope`].
#[derive(Clone, Copy)]
pub(super) struct Value(sys::napi_value);

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// To be thrown with this code and message.
    Throw(&'static str, &'static str),
    /// Node-API refused: an exception is pending, or the environment is going away.
    Refused,
}

type Outcome<T> = Result<T, Failure>;

fn check(status: sys::napi_status) -> Outcome<()> {
    if status == sys::Status::napi_ok {
        Ok(())
    } else {
        Err(Failure::Refused)
    }
}

/// A callback's window into JavaScript.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    env: sys::napi_env,
    /// No JavaScript is below on the stack, so ticks and microtasks must run when a call returns. Node does
    /// that itself for a thread-safe function.
    outermost: bool,
}

impl Scope {
    /// The scope of a `#[napi]` function.
    pub(super) fn of(env: &napi::Env) -> Self {
        Self {
            env: env.raw(),
            outermost: false,
        }
    }

    /// The scope of a callback that Node does not know of (libuv's).
    pub(super) fn outside(env: sys::napi_env) -> Self {
        Self {
            env,
            outermost: true,
        }
    }

    pub(super) fn env(self) -> sys::napi_env {
        self.env
    }

    pub(super) fn i32(self, value: Value) -> Outcome<i32> {
        let mut number = 0;
        // SAFETY: `env` and `value` belong to the running callback; `number` outlives the call.
        check(unsafe { sys::napi_get_value_int32(self.env, value.0, &mut number) })?;
        Ok(number)
    }

    pub(super) fn f64(self, value: Value) -> Outcome<f64> {
        let mut number = 0.0;
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_get_value_double(self.env, value.0, &mut number) })?;
        Ok(number)
    }

    pub(super) fn bool(self, value: Value) -> Outcome<bool> {
        let mut truth = false;
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_get_value_bool(self.env, value.0, &mut truth) })?;
        Ok(truth)
    }

    pub(super) fn is_string(self, value: Value) -> bool {
        let mut kind = 0;
        // SAFETY: as in `i32`.
        let status = unsafe { sys::napi_typeof(self.env, value.0, &mut kind) };
        status == sys::Status::napi_ok && kind == sys::ValueType::napi_string
    }

    /// Replaces the contents of `into` by the string's, latin1 (each code unit cut to its low byte) or UTF-8.
    pub(super) fn string(self, value: Value, utf8: bool, into: &mut Vec<u8>) -> Outcome<()> {
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

    /// The bytes of a Uint8Array. They must not be kept beyond the callback, nor JavaScript be called meanwhile.
    pub(super) fn bytes<'a>(self, value: Value) -> Outcome<&'a [u8]> {
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

    /// The same bytes, kept alive until dropped, on whatever thread.
    pub(super) fn kept(self, value: Value, releases: &Arc<Releases>) -> Outcome<Bytes> {
        let bytes = self.bytes(value)?;
        let mut reference = ptr::null_mut();
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_create_reference(self.env, value.0, 1, &mut reference) })?;
        Ok(Bytes::from_owner(Kept {
            data: bytes.as_ptr(),
            len: bytes.len(),
            reference,
            releases: Arc::clone(releases),
        }))
    }

    fn global(self) -> Outcome<Value> {
        let mut value = ptr::null_mut();
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_get_global(self.env, &mut value) })?;
        Ok(Value(value))
    }

    pub(super) fn number(self, number: f64) -> Outcome<Value> {
        let mut value = ptr::null_mut();
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_create_double(self.env, number, &mut value) })?;
        Ok(Value(value))
    }

    pub(super) fn integer(self, number: i32) -> Outcome<Value> {
        let mut value = ptr::null_mut();
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_create_int32(self.env, number, &mut value) })?;
        Ok(Value(value))
    }

    pub(super) fn latin1(self, text: &[u8]) -> Outcome<Value> {
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
        Ok(Value(value))
    }

    /// A Buffer with a copy of the bytes.
    pub(super) fn buffer(self, bytes: &[u8]) -> Outcome<Value> {
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
        Ok(Value(value))
    }

    pub(super) fn array(self) -> Outcome<Value> {
        let mut value = ptr::null_mut();
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_create_array(self.env, &mut value) })?;
        Ok(Value(value))
    }

    pub(super) fn set(self, array: Value, index: usize, value: Value) -> Outcome<()> {
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_set_element(self.env, array.0, index as u32, value.0) })
    }

    pub(super) fn reference(self, value: Value) -> Outcome<Reference> {
        let mut reference = ptr::null_mut();
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_create_reference(self.env, value.0, 1, &mut reference) })?;
        Ok(Reference(reference))
    }

    pub(super) fn dereference(self, reference: &Reference) -> Outcome<Value> {
        let mut value = ptr::null_mut();
        // SAFETY: the reference is strong and belongs to this environment.
        check(unsafe { sys::napi_get_reference_value(self.env, reference.0, &mut value) })?;
        Ok(Value(value))
    }

    /// Runs `body` with a handle scope of its own, so that a long batch does not pile up handles.
    pub(super) fn nested<T>(self, body: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let mut scope = ptr::null_mut();
        // SAFETY: opened and closed here, in order; `body` gives no handle out but through its references.
        check(unsafe { sys::napi_open_handle_scope(self.env, &mut scope) })?;
        let result = body();
        // SAFETY: see above.
        check(unsafe { sys::napi_close_handle_scope(self.env, scope) })?;
        result
    }

    /// Calls a function with one argument. It catches what its callees throw; should it throw itself, that is
    /// reported as uncaught.
    pub(super) fn call(self, function: Value, argument: Value) -> Outcome<()> {
        let this = self.global()?;
        // SAFETY: handles of this scope; one argument at the address given. Without an async context
        // `napi_make_callback` takes the root one, which requests leave by AsyncResource.
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
        let mut error = ptr::null_mut();
        // SAFETY: an exception is pending; this takes it over.
        check(unsafe { sys::napi_get_and_clear_last_exception(self.env, &mut error) })?;
        self.report(Value(error))
    }

    /// Reports an error as uncaught: 'uncaughtException', or the end of the process.
    pub(super) fn report(self, error: Value) -> Outcome<()> {
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_fatal_exception(self.env, error.0) })
    }

    fn throw(self, failure: &Failure) {
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
pub(super) struct Reference(sys::napi_ref);

/// References to JS memory whose bytes were written; deleted on the JS thread.
#[derive(Default)]
pub(super) struct Releases(Mutex<Vec<usize>>);

impl Releases {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Lets go of everything that was written.
    pub(super) fn release(&self, scope: Scope) {
        for reference in std::mem::take(&mut *self.lock()) {
            // SAFETY: each reference was created in this environment and is deleted once, here.
            unsafe { sys::napi_delete_reference(scope.env, reference as sys::napi_ref) };
        }
    }
}

/// Memory of a Uint8Array that JavaScript still owns. Only the kernel reads it, in `writev`: should JavaScript
/// shrink or detach the buffer meanwhile, the write fails or sends other bytes, as it does in core.
struct Kept {
    data: *const u8,
    len: usize,
    reference: sys::napi_ref,
    releases: Arc<Releases>,
}

// SAFETY: the memory may be read from any thread; the reference is only carried, and deleted on the JS thread.
unsafe impl Send for Kept {}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the reference keeps the array, and so its memory, alive until `releases` deletes it.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.releases.lock().push(self.reference as usize);
    }
}

/// The reused Int32Array that records are written to.
pub(super) struct Records {
    data: *mut i32,
    len: usize,
    _array: Reference,
}

impl Records {
    pub(super) fn new(scope: Scope, value: Value) -> Outcome<Self> {
        let (mut kind, mut len, mut data) = (0, 0, ptr::null_mut());
        // SAFETY: as in `Scope::bytes`.
        check(unsafe {
            sys::napi_get_typedarray_info(
                scope.env,
                value.0,
                &mut kind,
                &mut len,
                &mut data,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        })?;
        if kind != sys::TypedarrayType::int32_array || data.is_null() {
            return Err(Failure::Throw(
                "ERR_INVALID_ARG_TYPE",
                "records must be an Int32Array",
            ));
        }
        Ok(Self {
            data: data.cast::<i32>(),
            len,
            _array: scope.reference(value)?,
        })
    }

    /// The numbers, writable while no JavaScript runs.
    pub(super) fn numbers(&mut self) -> &mut [i32] {
        // SAFETY: `_array` keeps the memory alive; lib/binding.js neither transfers nor resizes it, and the JS
        // thread is here, not in JavaScript.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.len) }
    }
}

/// A wake for the JS thread that any thread may give.
#[derive(Clone, Copy)]
pub(super) struct Signal(sys::napi_threadsafe_function);

// SAFETY: thread-safe functions are made to be called from any thread; the I/O threads end before it is released.
unsafe impl Send for Signal {}
// SAFETY: see above.
unsafe impl Sync for Signal {}

impl Signal {
    /// A signal that makes the JS thread call [`Environment::drain`]. It does not keep the process alive.
    pub(super) fn new(env: sys::napi_env, environment: *const Environment) -> Outcome<Self> {
        const NAME: &CStr = c"http-native";
        let (mut name, mut function) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: strings and out pointers outlive the calls; `environment` lives as long as its environment,
        // and `drain` is not called without one.
        unsafe {
            check(sys::napi_create_string_utf8(
                env,
                NAME.as_ptr(),
                NAME.count_bytes() as isize,
                &mut name,
            ))?;
            check(sys::napi_create_threadsafe_function(
                env,
                ptr::null_mut(),
                ptr::null_mut(),
                name,
                0,
                1,
                ptr::null_mut(),
                None,
                environment.cast_mut().cast::<c_void>(),
                Some(drain),
                &mut function,
            ))?;
            check(sys::napi_unref_threadsafe_function(env, function))?;
        }
        Ok(Self(function))
    }

    pub(super) fn give(self) {
        // SAFETY: not released while I/O threads run. A refusal means that the environment is closing.
        unsafe {
            sys::napi_call_threadsafe_function(
                self.0,
                ptr::null_mut(),
                sys::ThreadsafeFunctionCallMode::nonblocking,
            )
        };
    }

    /// Whether the process is to stay alive for events. JS thread only.
    pub(super) fn hold(self, scope: Scope, hold: bool) {
        // SAFETY: on the JS thread, by having a scope.
        unsafe {
            if hold {
                sys::napi_ref_threadsafe_function(scope.env, self.0);
            } else {
                sys::napi_unref_threadsafe_function(scope.env, self.0);
            }
        }
    }

    /// No more signals will be given.
    pub(super) fn release(self) {
        // SAFETY: called once, after the I/O threads ended.
        unsafe {
            sys::napi_release_threadsafe_function(
                self.0,
                sys::ThreadsafeFunctionReleaseMode::abort,
            );
        }
    }
}

unsafe extern "C" fn drain(
    env: sys::napi_env,
    _: sys::napi_value,
    environment: *mut c_void,
    _: *mut c_void,
) {
    // No env: the environment is being torn down and JavaScript can't be called.
    if env.is_null() {
        return;
    }
    // SAFETY: `Signal::new` was given a pointer that is valid while its environment is.
    let environment = unsafe { &*environment.cast::<Environment>() };
    let scope = Scope {
        env,
        outermost: false,
    };
    if std::panic::catch_unwind(AssertUnwindSafe(|| environment.drain(scope))).is_err() {
        scope.throw(&PANIC);
    }
}

const PANIC: Failure = Failure::Throw("ERR_HTTP_NATIVE", "http-native: internal error");

/// A function that JavaScript calls, with its arguments; missing ones are undefined.
pub(super) type Function = fn(&Environment, Scope, &[Value; ARGUMENTS]) -> Outcome<Option<Value>>;

/// What a raw function is called with.
pub(super) struct Exported {
    environment: *const Environment,
    function: Function,
}

/// Adds a raw function to the exports.
pub(super) fn export(
    env: sys::napi_env,
    exports: sys::napi_value,
    environment: &Rc<Environment>,
    name: &CStr,
    function: Function,
) -> napi::Result<()> {
    let exported = Box::new(Exported {
        environment: Rc::as_ptr(environment),
        function,
    });
    let data = ptr::from_ref(&*exported).cast_mut();
    environment.exported.borrow_mut().push(exported);
    let mut value = ptr::null_mut();
    // SAFETY: strings and out pointers outlive the calls; `data` lives in the environment, which is freed when
    // no JavaScript of it can run any more.
    unsafe {
        napi::check_status!(sys::napi_create_function(
            env,
            name.as_ptr(),
            name.count_bytes() as isize,
            Some(call),
            data.cast::<c_void>(),
            &mut value,
        ))?;
        napi::check_status!(sys::napi_set_named_property(
            env,
            exports,
            name.as_ptr(),
            value
        ))
    }
}

unsafe extern "C" fn call(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let mut arguments = [Value(ptr::null_mut()); ARGUMENTS];
    let (mut count, mut data) = (ARGUMENTS, ptr::null_mut());
    let scope = Scope {
        env,
        outermost: false,
    };
    // SAFETY: `Value` is a transparent handle; at most ARGUMENTS are written, the missing ones as undefined.
    let status = unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &mut count,
            arguments.as_mut_ptr().cast::<sys::napi_value>(),
            ptr::null_mut(),
            &mut data,
        )
    };
    if status != sys::Status::napi_ok {
        return ptr::null_mut();
    }
    // SAFETY: `export` gave this pointer, and the environment outlives its functions.
    let (environment, function) = unsafe {
        let exported = &*data.cast::<Exported>();
        (&*exported.environment, exported.function)
    };
    match std::panic::catch_unwind(AssertUnwindSafe(|| {
        function(environment, scope, &arguments)
    })) {
        Ok(Ok(value)) => value.map_or(ptr::null_mut(), |value| value.0),
        Ok(Err(failure)) => {
            scope.throw(&failure);
            ptr::null_mut()
        }
        Err(_) => {
            scope.throw(&PANIC);
            ptr::null_mut()
        }
    }
}

/// Calls `Environment::close` when the environment is torn down (the end of a worker or of the process).
pub(super) fn on_cleanup(env: sys::napi_env, environment: &Rc<Environment>) -> napi::Result<()> {
    // SAFETY: the count taken here is given back by the hook.
    unsafe {
        napi::check_status!(sys::napi_add_env_cleanup_hook(
            env,
            Some(cleanup),
            Rc::into_raw(Rc::clone(environment))
                .cast_mut()
                .cast::<c_void>(),
        ))
    }
}

unsafe extern "C" fn cleanup(environment: *mut c_void) {
    // SAFETY: `on_cleanup` made this pointer; the hook runs once.
    let environment = unsafe { Rc::from_raw(environment.cast::<Environment>()) };
    // A panic here has nowhere to go; the threads it would leave behind end with the process.
    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| environment.close()));
}

/// Takes over a file descriptor that JavaScript was given (`listen({ fd })`).
pub(super) fn adopt_fd(fd: i32) -> std::io::Result<Socket> {
    // EBADF, as the first call on it would say.
    if fd < 0 {
        return Err(std::io::Error::from_raw_os_error(9));
    }
    // SAFETY: `listen({ fd })` hands the descriptor over, as in core; a bad one makes every call on it fail.
    Ok(unsafe { Socket::from_raw_fd(fd) })
}
