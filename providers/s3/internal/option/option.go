// Package option has the values of the native options of package s3. Start at [Apply], which changes the
// input of a request by its options. [Server.Check] refuses options that a server does not support.
package option

import (
	"reflect"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/customerkey"
)

// An Option is the value of a native option.
type Option interface {
	driver.Fingerprinter
	// Check returns an error if the bucket's server does not support the option.
	Check(s *Server) error
	// Apply sets the fields of an input of the SDK for the option.
	Apply(input any) error
}

// A Server is the server of a bucket, as far as the options need it.
type Server struct {
	Profile         string // the name of the server's profile
	Hint            string // the hint for a feature that the profile does not declare
	IsAnonymous     bool   // requests have no credentials
	HasKMS          bool
	HasCustomerKeys bool
	HasACLs         bool
	HasTLS          func() (bool, error)
}

// Check returns an error if value is not an option of package s3, or if the server does not support
// the option.
func (s *Server) Check(value any) error {
	switch o := value.(type) {
	case *customerkey.Key:
		return s.checkCustomerKey(o)
	case Option:
		return o.Check(s)
	}
	return errNotOurs()
}

func errNotOurs() error {
	return &storage.Error{Code: storage.Unsupported, Hint: "use the options of package s3"}
}

// Apply applies the key of a bucket and then the options of an operation to an input of the SDK. A
// nil key leaves the encryption to the bucket. Apply fails if an option does not fit the request,
// or if two options contradict each other.
func Apply(input any, key *KMSKey, native []any) error {
	if key == nil && len(native) == 0 {
		return nil
	}
	// A customer's key replaces the key of the bucket.
	hasCustomerKey := customerkey.In(native) != nil
	if key != nil && !hasCustomerKey {
		if err := key.Apply(input); err != nil {
			return err
		}
	}

	for _, value := range native {
		var err error
		switch o := value.(type) {
		case *customerkey.Key:
			err = applyCustomerKey(o, input)
		case Option:
			err = o.Apply(input)
		default:
			err = errNotOurs()
		}
		if err != nil {
			return err
		}
	}
	return checkFunctions(input, native)
}

// field returns a pointer to the field of an SDK input with this name, or nil if the input has no
// such field.
func field[T any](input any, name string) *T {
	f := reflect.ValueOf(input).Elem().FieldByName(name)
	if !f.IsValid() {
		return nil
	}
	return f.Addr().Interface().(*T)
}

// setField sets the field of an SDK input with this name. The input must have such a field.
func setField[T any](input any, name string, value T) { *field[T](input, name) = value }
