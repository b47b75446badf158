//! The numbers of the kinds of errors, by which JavaScript finds their names in the list that the addon exports.

use http_native_proto::ErrorKind;

#[test]
fn numbers_are_places() {
    for (place, kind) in ErrorKind::ALL.iter().enumerate() {
        assert_eq!(usize::from(kind.number()), place);
    }
}
