package s3error

import "github.com/omnibucket/storage/internal/sdkerror"

// A replacedError says that the store refused credentials which were then replaced. The next
// attempt uses the new ones.
type replacedError struct{ refusal error }

func (e *replacedError) Error() string { return e.refusal.Error() }

func (e *replacedError) Unwrap() error { return e.refusal }

// CredentialsReplaced returns the error of a request whose credentials were refused and then replaced.
func CredentialsReplaced(refusal error) error { return &replacedError{refusal} }

// areReplaced reports whether err comes from CredentialsReplaced.
func areReplaced(err error) bool { return sdkerror.IsType[*replacedError](err) }
