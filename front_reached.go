package storage

import (
	"context"
	"errors"

	"github.com/omnibucket/storage/internal/core/buffer"
	"github.com/omnibucket/storage/internal/core/scope"
	"github.com/omnibucket/storage/internal/core/seam"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/serving"
)

// Other packages of this library need facts about a bucket that the API does not report. They get
// them by the variables of internal/serving, which other modules cannot import.

// init sets functions of the packages serving and seam, through which other packages of this module
// call what this package does not export.
func init() {
	serving.ViewOf = func(b any) (serving.View, bool) {
		f, ok := b.(*front)
		if !ok {
			return serving.View{}, false
		}
		return serving.View{
			Core:      f.core,
			Engine:    f.engine(),
			Prefix:    f.scope.Prefix,
			Whole:     f.scope.Whole(),
			MayRemove: f.scope.Permits(scope.Remove),
		}, true
	}
	serving.MoveInOneStep = moveInOneStep
	seam.LimitOf = func(limit any) *buffer.Limit { return limit.(*BufferLimit).bounded() }
	seam.SourceCore = func(src any) any { return src.(*CopySource).core }
}

// probedKey is a key that engine passes to Core.Source. It has two segments and both cases, so that
// most Cores that change keys return another key for it.
const probedKey = "A/a"

// engine returns the engine that has the objects of f, or nil if there is none. It also returns nil if
// the Core of f may change keys or bytes. Facts about the engine then do not hold for the objects of f.
func (f *front) engine() serving.Engine {
	if f.core == nil {
		return nil
	}

	// A copy on the server would skip what such a Core does. So its Source has another key, or is no
	// object of an engine.
	source := f.core.Source(probedKey)
	if source.key != probedKey {
		return nil
	}
	return serving.EngineOf(source.core)
}

// moveInOneStep implements serving.MoveInOneStep. It does nothing and returns false if dst and src
// have different Cores, if the store lacks ServerMove, or if an option changes the object. attrs is an
// *Attrs, and opts a []CopyOption, because package serving cannot import this package.
func moveInOneStep(
	ctx context.Context, dst any, to string, src any, from string, opts any,
) (attrs any, done bool, err error) {
	f, ok := dst.(*front)
	if !ok || f.core == nil {
		return nil, false, nil
	}

	// Both buckets must be of one Core, which moves objects in one step.
	source, ok := src.(*front)
	if !ok || !evidence.EqualValues(f.core, source.core) || !f.core.Supports(ServerMove) {
		return nil, false, nil
	}

	// The options must be valid, and both views must permit the move.
	o := copyPool.get()
	defer copyPool.put(o)
	fromKey := source.scope.Key(from)
	toKey := f.scope.Key(to)
	optsErr := o.ApplyMove(fromKey, toKey, opts.([]CopyOption)...)
	if err := f.checkMove(source, optsErr); err != nil {
		// The error has the new key. With the old key, it would mean that the copy succeeded and
		// only the removal failed.
		op := Operation{Name: "Move", Key: toKey, Keys: []string{fromKey}}
		return nil, false, f.refuse(ctx, op, locateError(f, "Move", to, err))
	}

	// A move in one step cannot apply options that change the object.
	if !o.MovesOnly() {
		return nil, false, nil
	}

	moved, err := f.core.Move(ctx, fromKey, toKey, o)
	moved, err = f.copyResult(moved, err, "Move", to, source, from)
	if err != nil {
		return nil, false, err
	}
	return moved, true, nil
}

// checkMove returns an error if f or source does not permit a move from source to f, or if optsErr, the
// error of its options, is not nil.
func (f *front) checkMove(source *front, optsErr error) *Error {
	if err := f.checkAllowed(scope.Upload|scope.Remove, optsErr); err != nil {
		return err
	}
	return source.checkAllowed(scope.Download|scope.Remove, nil)
}

// copyResult returns the results of a copy or move by the Core with the keys that the caller used. If
// the Core returned neither attributes nor an error, copyResult returns an error.
func (f *front) copyResult(attrs *Attrs, err error, op, dst string, source *front, src string) (*Attrs, error) {
	if attrs == nil && err == nil {
		return nil, f.noAnswer(op, dst)
	}
	return f.attrsInView(attrs, dst), f.copyErrorInView(err, dst, source, src)
}

// copyErrorInView removes the prefix of a view from the key in the error of a copy or move. An error
// about the destination has the prefix of f, and one about the source has that of source. source is
// nil if it is of another type, which has no prefix.
func (f *front) copyErrorInView(err error, dst string, source *front, src string) error {
	inner, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}

	isAboutDst := inner.Key == f.scope.Key(dst)
	isAboutSrc := source != nil && inner.Key == source.scope.Key(src)
	if isAboutDst && isAboutSrc {
		// Both keys are equal, so the bucket decides.
		_, dstBucket := f.core.Name()
		if inner.Bucket == dstBucket {
			return f.errorInView(err)
		}
		return source.errorInView(err)
	}
	if isAboutDst {
		return f.errorInView(err)
	}
	if isAboutSrc {
		return source.errorInView(err)
	}
	return err
}
