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

// Ref narrows b to the methods of P, an interface of methods that Bucket has; it panics for any
// other P. The result cannot be widened: by a type assertion, Ref or another function, all
// other methods fail with PermissionDenied. If b is a type of your own, all methods fail with
// Unsupported.
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

// Prefixed returns a view of the keys under prefix, whole segments that end in "/":
// "users/1" would reach users/10. It adds the prefix to keys that go in, and removes it
// from keys in Attrs, entries and Error.Key. Hooks see whole keys. Nothing else can be
// reached, listed, signed or removed. If b is a type of your own, all calls fail with Unsupported.
func Prefixed(b Bucket, prefix string) Bucket {
	s := scope.Scope{Prefix: prefix, Mask: scope.Everything}
	if e := checkPrefix(prefix); e != nil {
		s.Bad = e
	}
	return inScope(b, "Prefixed", s)
}

// inScope returns what outer shows of b.
func inScope(b Bucket, op string, outer scope.Scope) Bucket {
	f, e := need(b, op, "")
	if e != nil {
		f, outer.Bad = &front{scope: scope.Scope{Mask: scope.Everything}}, e
	}
	return f.in(outer)
}
