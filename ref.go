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

// Ref narrows b to the methods of P, an interface of methods that [Bucket] has; it panics for
// any other P. The result cannot be widened: methods reached by a type assertion, or through
// Ref, Prefixed, As or any function of this package, fail with PermissionDenied.
//
//	ref := storage.Ref[storage.Downloader](bucket)
//	ref := storage.Ref[interface{ storage.Uploader; storage.Lister }](bucket)
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

func narrow(b Bucket, mask scope.Permission) Bucket { return inScope(b, scope.Scope{Mask: mask}) }

// Prefixed returns a view of the keys under prefix. The prefix is added to keys that go in,
// and removed from keys in Attrs, entries and Error.Key. Nothing outside of it can be reached,
// listed, signed or removed. A prefix consists of whole segments and ends in "/" ("users/1"
// would reach users/10); with any other prefix every operation fails with InvalidArgument.
// Hooks see whole keys. [As] returns false for a view.
func Prefixed(b Bucket, prefix string) Bucket {
	s := scope.Scope{Prefix: prefix, Mask: scope.Everything}
	if e := checkPrefix(prefix); e != nil {
		s.Bad = e
	}
	return inScope(b, s)
}

// inScope returns what outer shows of b.
func inScope(b Bucket, outer scope.Scope) Bucket {
	switch b := b.(type) {
	case engineBucket:
		return b.Narrow(outer)
	case *view:
		return &view{to: b.to, scope: b.scope.In(outer)}
	}
	return &view{to: b, scope: outer}
}

// outOfScope returns why an operation is not permitted.
func outOfScope(s *scope.Scope, may scope.Permission) *Error {
	if !s.Permits(may) {
		return &Error{Code: PermissionDenied, Hint: "this reference was narrowed by Ref"}
	}
	bad, _ := s.Bad.(*Error)
	return bad
}
