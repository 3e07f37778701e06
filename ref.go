package storage

import (
	"context"
	"reflect"

	"github.com/omnibucket/storage/internal/core/scope"
)

// methodPermissions has an interface for each method of Bucket. Ref compares types with them, and asks
// no type for its methods: a program that calls Type.Method of package reflect keeps every method of
// all its types, and was half as large again.
var methodPermissions = []struct {
	method     reflect.Type
	permission scope.Permission
}{
	{reflect.TypeFor[Uploader](), scope.Upload},
	{reflect.TypeFor[Downloader](), scope.Download},
	{reflect.TypeFor[Lister](), scope.List},
	{reflect.TypeFor[interface {
		Attrs(ctx context.Context, key string, opts ...AttrsOption) (*Attrs, error)
	}](), scope.Attrs},
	{reflect.TypeFor[interface {
		Exists(ctx context.Context, key string, opts ...AttrsOption) (bool, error)
	}](), scope.Exists},
	{reflect.TypeFor[Remover](), scope.Remove},
	{reflect.TypeFor[SignedUploader](), scope.SignUpload},
	{reflect.TypeFor[SignedDownloader](), scope.SignDownload},
	{reflect.TypeFor[PublicLinker](), scope.PublicURL},
}

// Ref narrows b to the methods of P, which is an interface with only methods of [Bucket]. For any
// other P, it panics. All other methods of the result fail with PermissionDenied, and neither a
// type assertion nor another function can bring them back. Two results cannot be joined: Compose,
// Append and Move need one result with all their methods, such as those of [ReadWriter]. If b is a
// type of your own, all methods fail with Unsupported.
func Ref[P any](b Bucket) P {
	narrowed := narrow(b, maskOf(reflect.TypeFor[P]()))
	return narrowed.(P)
}

// maskOf returns the permissions for the methods of the interface p. It panics if p is not an
// interface, or has no method or one that Bucket lacks.
func maskOf(p reflect.Type) scope.Permission {
	if p.Kind() != reflect.Interface || p.NumMethod() == 0 || !reflect.TypeFor[Bucket]().Implements(p) {
		panic("storage: Ref: " + p.String() + " is not an interface with only methods of Bucket")
	}
	var mask scope.Permission
	for _, m := range methodPermissions {
		if p.Implements(m.method) {
			mask |= m.permission
		}
	}
	return mask
}

func narrow(b Bucket, mask scope.Permission) Bucket {
	return inScope(b, "Ref", scope.Scope{Mask: mask})
}

// Prefixed returns a view of the keys under prefix. The prefix must end in "/", because "users/1"
// would also reach the keys under "users/10". The view adds the prefix to the keys of calls, and
// removes it from keys in Attrs, entries and Error.Key. Hooks see whole keys. Through the view, no
// other key can be reached, listed, signed or removed. But in a local directory, a symbolic link
// under the prefix can lead to a file of another key. If b is a type of your own, all calls fail
// with Unsupported.
func Prefixed(b Bucket, prefix string) Bucket {
	s := scope.Scope{Prefix: prefix, Mask: scope.Everything}
	if err := checkPrefix(prefix); err != nil {
		s.Bad = err
	}
	return inScope(b, "Prefixed", s)
}

// inScope returns a view of b whose scope is that of b, narrowed by outer. If b is of a type of the
// user's own, it has no scope, and all methods of the view fail with an error that names op.
func inScope(b Bucket, op string, outer scope.Scope) Bucket {
	f, err := frontOf(b, op, "")
	if err != nil {
		outer.Bad = err // every method of this view fails
		foreign := &front{scope: scope.Scope{Mask: scope.Everything}}
		return foreign.view(outer)
	}
	return f.view(outer)
}
