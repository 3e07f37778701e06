package option

import (
	"crypto/rand"
	"fmt"
	"reflect"
	"slices"
	"strings"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// A Request is an option with a function that changes inputs of the type I.
type Request[I any] struct {
	Change func(*I)
	ID     string
}

// NewRequest returns an option that changes inputs of the type I by calling the function change.
func NewRequest[I any](change func(*I)) *Request[I] {
	return &Request[I]{Change: change, ID: rand.Text()}
}

// Check returns an error if the option has no function.
func (o *Request[I]) Check(*Server) error {
	if o.Change == nil {
		return argument.Invalid("WithRequest", "must not be nil", "")
	}
	return nil
}

// Apply calls the function if input has the type of its parameter.
func (o *Request[I]) Apply(input any) error {
	if sdkInput, ok := input.(*I); ok {
		o.Change(sdkInput)
	}
	return nil
}

// Fingerprint returns a random text. So no option in another process equals this option. Functions
// in different processes cannot be compared.
func (o *Request[I]) Fingerprint() string { return o.ID }

// Target returns the type of the inputs that the function changes.
func (*Request[I]) Target() reflect.Type { return reflect.TypeFor[I]() }

// Every Request implements this interface, whatever its type parameter is.
type function interface{ Target() reflect.Type }

// HasFunctions reports whether native contains an option of WithRequest, whose function a raw
// client cannot call.
func HasFunctions(native []any) bool {
	return slices.ContainsFunc(native, func(o any) bool {
		_, ok := o.(function)
		return ok
	})
}

// These lists have types of requests. The first list is for writes: a write begins with one of
// these requests. The second list is for reads: a read sends one or more of these requests. The
// third list has the requests that a write may send in addition.
var (
	writing = []reflect.Type{
		reflect.TypeFor[awss3.PutObjectInput](), reflect.TypeFor[awss3.CreateMultipartUploadInput](),
		reflect.TypeFor[awss3.CopyObjectInput](),
	}
	reading = []reflect.Type{reflect.TypeFor[awss3.GetObjectInput](), reflect.TypeFor[awss3.HeadObjectInput]()}

	besideWriting = append(
		slices.Clone(continuing),
		reflect.TypeFor[awss3.HeadObjectInput](), // sent if the response to the write was lost
	)
	// continuing has the requests that continue an upload, or a copy in parts.
	continuing = []reflect.Type{
		reflect.TypeFor[awss3.UploadPartInput](),
		reflect.TypeFor[awss3.UploadPartCopyInput](),
		reflect.TypeFor[awss3.CompleteMultipartUploadInput](),
	}
)

// checkFunctions fails if an operation would silently ignore an option of WithRequest in native, because
// it sends no request of the type that the option changes. input is that of one request of the operation.
func checkFunctions(input any, native []any) error {
	typ := reflect.TypeOf(input).Elem()
	if slices.Contains(continuing, typ) {
		// The first request of the upload or copy was checked.
		return nil
	}

	// A caller that does not know which of the alternatives is sent gives an option for each. So an option
	// for an alternative fails only if there is none for the request that is sent.
	alternatives, others := relatedTypes(typ)
	var alternative reflect.Type
	for _, o := range native {
		f, ok := o.(function)
		if !ok {
			continue
		}
		target := f.Target()
		switch {
		case target == typ:
			return nil
		case slices.Contains(alternatives, target):
			alternative = target
		case !slices.Contains(others, target):
			return typeError(target, typ)
		}
	}
	if alternative != nil {
		return typeError(alternative, typ)
	}
	return nil
}

// relatedTypes returns the types of the requests that an operation with a request of type typ might
// have sent in place of that request (alternatives), and may send in addition to it (others).
func relatedTypes(typ reflect.Type) (alternatives, others []reflect.Type) {
	switch {
	case slices.Contains(writing, typ):
		return writing, besideWriting
	case slices.Contains(reading, typ):
		return reading, nil
	case typ == reflect.TypeFor[awss3.RestoreObjectInput]():
		return nil, reading // Restore sends HeadObject before RestoreObject
	}
	return nil, nil
}

// typeError returns the error for an option of WithRequest with a function for got, in an operation
// that sends the input typ.
func typeError(got, typ reflect.Type) error {
	operation := strings.TrimSuffix(typ.Name(), "Input")
	return &storage.Error{
		Code: storage.Unsupported,
		Err:  fmt.Errorf("s3.WithRequest for %s does not fit %s", got.Name(), operation),
		Hint: "add s3.WithRequest with a func(*s3." + typ.Name() + "): this operation sends " + operation,
	}
}
