package storage

import (
	"cmp"
	"reflect"
)

// A permission is one bit for each method of Bucket.
type permission uint16

const (
	mayUpload permission = 1 << iota
	mayDownload
	mayList
	mayAttrs
	mayExists
	mayRemove
	maySignUpload
	maySignDownload
	mayPublicURL

	everything permission = 1<<iota - 1
)

var methodPermissions = map[string]permission{
	"Upload":            mayUpload,
	"Download":          mayDownload,
	"List":              mayList,
	"Attrs":             mayAttrs,
	"Exists":            mayExists,
	"Remove":            mayRemove,
	"SignedUploadURL":   maySignUpload,
	"SignedDownloadURL": maySignDownload,
	"PublicURL":         mayPublicURL,
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

func maskOf(p reflect.Type) permission {
	if p.Kind() != reflect.Interface || p.NumMethod() == 0 {
		panic("storage: Ref: " + p.String() + " is not an interface of Bucket's methods")
	}
	whole := reflect.TypeFor[Bucket]()
	var mask permission
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

func narrow(b Bucket, mask permission) Bucket { return inScope(b, scope{mask: mask}) }

// Prefixed returns a view of the keys under prefix. The prefix is added to keys that go in,
// and removed from keys in Attrs, entries and Error.Key. Nothing outside of it can be reached,
// listed, signed or removed. A prefix consists of whole segments and ends in "/" ("users/1"
// would reach users/10); with any other prefix every operation fails with InvalidArgument.
// Hooks see whole keys. [As] returns false for a view.
func Prefixed(b Bucket, prefix string) Bucket {
	return inScope(b, scope{prefix: prefix, mask: everything, bad: checkPrefix(prefix)})
}

// inScope returns what outer shows of b.
func inScope(b Bucket, outer scope) Bucket {
	switch b := b.(type) {
	case *bucket:
		return b.in(outer)
	case *view:
		return &view{to: b.to, scope: b.scope.in(outer)}
	}
	return &view{to: b, scope: outer}
}

// A scope is what Ref and Prefixed leave of a bucket, of this package or of the user's own.
type scope struct {
	prefix string
	mask   permission
	bad    *Error // of the prefix: every operation fails with it
}

// in returns what outer leaves of s.
func (s scope) in(outer scope) scope {
	return scope{prefix: s.prefix + outer.prefix, mask: s.mask & outer.mask, bad: cmp.Or(s.bad, outer.bad)}
}

// whole reports whether nothing was taken away.
func (s *scope) whole() bool { return s.mask == everything && s.prefix == "" && s.bad == nil }

// refusal returns why an operation is not permitted.
func (s *scope) refusal(may permission) *Error {
	if s.mask&may != may {
		return &Error{Code: PermissionDenied, Hint: "this reference was narrowed by Ref"}
	}
	return s.bad
}
