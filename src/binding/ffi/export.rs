//! Functions that JavaScript or Node calls.

use std::ffi::{CStr, c_void};
use std::os::fd::BorrowedFd;
use std::panic::AssertUnwindSafe;
use std::ptr;
use std::rc::Rc;

use napi::sys;
use socket2::Socket;

use super::scope::{ARGUMENTS, Failure, Outcome, Scope, Value};
use crate::binding::environment::Environment;

pub(super) const PANIC: Failure = Failure::Throw("ERR_HTTP_NATIVE", "http-native: internal error");

/// A function that JavaScript calls, with its arguments; missing ones are undefined.
pub(in crate::binding) type Function =
    fn(&Environment, Scope, &[Value; ARGUMENTS]) -> Outcome<Option<Value>>;

/// What a raw function is called with.
pub(in crate::binding) struct Exported {
    environment: *const Environment,
    function: Function,
}

/// Adds a raw function to the exports.
pub(in crate::binding) fn export(
    env: sys::napi_env,
    exports: sys::napi_value,
    environment: &Rc<Environment>,
    name: &CStr,
    function: Function,
) -> napi::Result<()> {
    let exported = Rc::new(Exported {
        environment: Rc::as_ptr(environment),
        function,
    });
    let data = Rc::as_ptr(&exported).cast_mut();
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
pub(in crate::binding) fn on_cleanup(
    env: sys::napi_env,
    environment: &Rc<Environment>,
) -> napi::Result<()> {
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

/// A duplicate of a descriptor that JavaScript names: whoever has it keeps his own.
pub(in crate::binding) fn duplicate(fd: i32) -> std::io::Result<Socket> {
    // EBADF, as the first call on it would say.
    if fd < 0 {
        return Err(std::io::Error::from_raw_os_error(9));
    }
    // SAFETY: borrowed for this one system call, which fails if the descriptor is not open. -1 is excluded.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    Ok(Socket::from(fd.try_clone_to_owned()?))
}
