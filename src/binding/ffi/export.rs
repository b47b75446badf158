//! Functions that JavaScript or Node calls.

use std::ffi::{CStr, c_void};
use std::os::fd::BorrowedFd;
use std::panic::AssertUnwindSafe;
use std::ptr;
use std::rc::Rc;

use napi::bindgen_prelude::{Env, JsValue, Object};
use napi::sys;
use socket2::Socket;

use super::host::{Exported, Function, Host};
use super::scope::{ARGUMENTS, Failure, Scope, Value};

/// What a panic comes to where nothing else can tell of it.
pub(in crate::binding) const PANIC: Failure =
    Failure::Throw("ERR_HTTP_NATIVE", "http-native: internal error");

/// Adds a raw function to the exports.
pub(in crate::binding) fn export<H: Host>(
    env: &Env,
    exports: &Object,
    host: &Rc<H>,
    name: &CStr,
    function: Function<H>,
) -> napi::Result<()> {
    let exported = Rc::new(Exported {
        host: Rc::as_ptr(host),
        function,
    });
    let data = Rc::as_ptr(&exported).cast_mut();
    host.exports().keep(exported);
    let mut value = ptr::null_mut();
    // SAFETY: strings and out pointers outlive the calls; `data` lives in the host, which is freed when
    // no JavaScript of it can run any more.
    unsafe {
        napi::check_status!(sys::napi_create_function(
            env.raw(),
            name.as_ptr(),
            name.count_bytes() as isize,
            Some(call::<H>),
            data.cast::<c_void>(),
            &mut value,
        ))?;
        napi::check_status!(sys::napi_set_named_property(
            env.raw(),
            exports.raw(),
            name.as_ptr(),
            value
        ))
    }
}

unsafe extern "C" fn call<H: Host>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    let mut arguments = [ptr::null_mut(); ARGUMENTS];
    let (mut count, mut data) = (ARGUMENTS, ptr::null_mut());
    // SAFETY: at most ARGUMENTS are written, the missing ones as undefined.
    let status = unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &mut count,
            arguments.as_mut_ptr(),
            ptr::null_mut(),
            &mut data,
        )
    };
    if status != sys::Status::napi_ok {
        return ptr::null_mut();
    }
    // SAFETY: `export` gave this pointer, and the host outlives its functions.
    let (host, function) = unsafe {
        let exported = &*data.cast::<Exported<H>>();
        (&*exported.host, exported.function)
    };
    // SAFETY: Node calls this, and the arguments are valid as long as the callback runs.
    unsafe {
        Scope::enter(env, false, |scope| {
            let arguments = arguments.map(|argument| Value::new(argument));
            match std::panic::catch_unwind(AssertUnwindSafe(|| function(host, scope, &arguments))) {
                Ok(Ok(value)) => value.map_or(ptr::null_mut(), |value| value.0),
                Ok(Err(Failure::Broken)) => ptr::null_mut(),
                Ok(Err(failure)) => {
                    scope.throw(&failure);
                    ptr::null_mut()
                }
                Err(_) => {
                    scope.throw(&PANIC);
                    ptr::null_mut()
                }
            }
        })
    }
}

/// Calls [`Host::tear_down`] when the environment is torn down (the end of a worker or of the process).
pub(in crate::binding) fn on_cleanup<H: Host>(env: &Env, host: &Rc<H>) -> napi::Result<()> {
    // SAFETY: the reference counted here is given back by the hook.
    unsafe {
        napi::check_status!(sys::napi_add_env_cleanup_hook(
            env.raw(),
            Some(cleanup::<H>),
            Rc::into_raw(Rc::clone(host)).cast_mut().cast::<c_void>(),
        ))
    }
}

unsafe extern "C" fn cleanup<H: Host>(host: *mut c_void) {
    // SAFETY: `on_cleanup` made this pointer; the hook runs once.
    let host = unsafe { Rc::from_raw(host.cast::<H>()) };
    // A panic here has nowhere to go; the threads that would remain end with the process.
    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| host.tear_down()));
}

/// A duplicate of a descriptor that JavaScript names; the original stays open, and its owner's.
pub(in crate::binding) fn duplicate(fd: i32) -> std::io::Result<Socket> {
    // EBADF, as the first call on it would say.
    if fd < 0 {
        return Err(std::io::Error::from_raw_os_error(9));
    }
    // SAFETY: borrowed for this one system call, which fails if the descriptor is not open. -1 is excluded.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    Ok(Socket::from(fd.try_clone_to_owned()?))
}
