package storage

import (
	"context"
	"fmt"
	"reflect"

	"github.com/omnibucket/storage/internal/buffer"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/internal/unexported"
)

// An Unwrapper is a bucket of a type of your own that lets functions pass it to the bucket
// that Unwrap returns, which must have the same objects and keys. Functions that need an
// optional interface (see [Bucket]) pass it if it has none; [AbandonUpload], [As] and
// driver.Overlap do. [Copy] (at both ends), [Compose], [Move], [ListPage], [RemoveAll] and
// [RemoveVersions] then call none of its own methods. All others, also the listing of
// [RemoveMatching], call only those.
//
// A type that guards, counts every object, or changes bytes must not have Unwrap. It can
// still implement the optional interfaces that it permits, each by one call of the function
// on the bucket that it wraps.
type Unwrapper interface{ Unwrap() Bucket }

// maxWrappers ends a chain of Unwrap that leads back to itself.
const maxWrappers = 100

// find returns the first T of b and of what it unwraps to.
func find[T any](b any) (found T, ok bool) {
	for range maxWrappers {
		if found, ok = b.(T); ok {
			return found, true
		}
		wrapper, wraps := b.(Unwrapper)
		if !wraps {
			break
		}
		b = wrapper.Unwrap()
	}
	return found, false
}

// need is find for the function op, which cannot do without. Its error is about a key.
func need[T any](b any, op, key string) (T, *Error) {
	found, ok := find[T](b)
	if ok {
		return found, nil
	}
	return found, located(b, op, key, lacks[T](innermost(b), op))
}

// with calls a method of the bucket, or of what it unwraps to, that the function op needs.
func with[T, R any](b any, op, key string, call func(T) (R, error)) (result R, err error) {
	found, e := need[T](b, op, key)
	if e != nil {
		return result, e
	}
	return call(found)
}

// change is with for a method without a result.
func change[T any](b any, op, key string, call func(T) error) error {
	_, err := with(b, op, key, func(to T) (struct{}, error) { return struct{}{}, call(to) })
	return err
}

// innermost returns the last bucket that b shows or unwraps to.
func innermost(b any) any {
	for range maxWrappers {
		switch at := b.(type) {
		case *view:
			b = at.to
		case Unwrapper:
			b = at.Unwrap()
		default:
			return b
		}
	}
	return b
}

// lacks returns the error of a value that is no T, which the function op needs.
func lacks[T any](b any, op string) *Error {
	if b == nil {
		return unsupported("the bucket is nil: a method Unwrap must return the bucket that is wrapped", "")
	}
	missing, own := op, reflect.TypeOf(b)
	if _, has := own.MethodByName(op); has { // another method of the interface is missing
		for method := range reflect.TypeFor[T]().Methods() {
			if of, has := own.MethodByName(method.Name); !has || of.Type.NumIn() != method.Type.NumIn()+1 {
				missing = method.Name
			}
		}
	}
	return unsupported(fmt.Sprintf("the value is a %T, which has no %s and no Unwrap", b, missing),
		"give the type this method, or Unwrap if all functions may pass it; see storage.Unwrapper")
}

// An engineBucket is a bucket from New, as functions of this package see it.
type engineBucket interface {
	Bucket
	serving.Bucket
	Narrow(outer scope.Scope) Bucket // what outer shows of it
	Scope() *scope.Scope
	Place() (provider, location, bucket string)
	Core() unexported.Core
	BufferLimit() *buffer.Limit
	Need(f Features, what string) *Error
	AbandonUpload(ctx context.Context, path string) error
	MoveInOneStep(ctx context.Context, to string, src Bucket, from string, opts ...CopyOption) (a *Attrs, done bool, err error)
}

// reach returns the bucket from New that b is, shows or unwraps to.
func reach(b any) (engineBucket, bool) {
	for range maxWrappers {
		switch at := b.(type) {
		case engineBucket:
			return at, true
		case *view:
			inner, ok := reach(at.to)
			if !ok {
				return nil, false
			}
			narrowed, ok := inner.Narrow(at.scope).(engineBucket)
			return narrowed, ok
		case Unwrapper:
			b = at.Unwrap()
		default:
			return nil, false
		}
	}
	return nil, false
}
