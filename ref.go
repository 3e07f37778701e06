package storage

import (
	"reflect"

	"github.com/omnibucket/storage/internal/scope"
)

var methodPermissions = map[string]scope.Permission{
	"Upload":            scope.Upload,
	"Download":          scope.Download,
	"List":              scope.List,
	"Attrs":             scope.Attrs,
	"Exists":            scope.Exists,
	"Remove":            scope.Remove,
	"SignedUploadURL":   scope.SignUpload,
	"SignedDownloadURL": scope.SignDownload,
	"PublicURL":         scope.PublicURL,
}

// Ref narrows b to the methods of P, which is an interface with only methods of Bucket. For any
// other P, it panics. All other methods of the result fail with PermissionDenied. Neither a type
// assertion nor another function can bring them back. If b is a type of your own, all methods fail
// with Unsupported.
//
// Two results of Ref cannot be joined. [Compose], [Append] and [Move] need one result with all their
// methods, such as those of [ReadWriter].
func Ref[P any](b Bucket) P {
	narrowed := narrow(b, maskOf(reflect.TypeFor[P]()))
	return narrowed.(P)
}

func maskOf(p reflect.Type) scope.Permission {
	if p.Kind() != reflect.Interface || p.NumMethod() == 0 {
		panic("storage: Ref: " + p.String() + " is not an interface of Bucket's methods")
	}
	whole := reflect.TypeFor[Bucket]()
	var mask scope.Permission
	for i := range p.NumMethod() {
		method := p.Method(i)
		own, found := whole.MethodByName(method.Name)
		if !found || own.Type != method.Type {
			panic("storage: Ref: " + p.String() + " has the method " + method.Name + ", which Bucket has not")
		}
		mask |= methodPermissions[method.Name]
	}
	return mask
}

func narrow(b Bucket, mask scope.Permission) Bucket {
	return inScope(b, "Ref", scope.Scope{Mask: mask})
}

// Prefixed returns a view of the keys under prefix. The prefix must end in "/", because "users/1"
// would also reach the keys under "users/10". The view adds the prefix to the keys of calls, and
// removes it from keys in Attrs, entries and Error.Key. Hooks see whole keys. Through the view, no
// other key can be reached, listed, signed or removed. In a local directory, a symbolic link under
// the prefix can lead to a file of another key. If b is a type of your own, all calls fail
// with Unsupported.
func Prefixed(b Bucket, prefix string) Bucket {
	s := scope.Scope{Prefix: prefix, Mask: scope.Everything}
	if e := checkPrefix(prefix); e != nil {
		s.Bad = e
	}
	return inScope(b, "Prefixed", s)
}

// inScope returns b with its scope narrowed by the parameter outer. If b is a type of the user's
// own, all methods of the result fail.
func inScope(b Bucket, op string, outer scope.Scope) Bucket {
	f, e := need(b, op, "")
	if e != nil {
		f, outer.Bad = &front{scope: scope.Scope{Mask: scope.Everything}}, e
	}
	return f.view(outer)
}
