package storage

import (
	"context"
	"errors"
)

// Move gives an object of b another key, and returns its attributes there. With [ServerMove], and
// with no options but [IfAbsent] and [IfRevision], it is one request, and the object is at one
// of the keys at each moment. Otherwise Move makes a [Copy], and then removes the revision that it
// has copied. Conditions guard the destination; without one, an object there is replaced. The
// object keeps as much as with Copy. [WithVersion] does not fit. A directory that renames an object
// keeps its revision and time.
//
// If Move fails, the object is at from, and with [OutcomeUnknown] at from or to. If the copy was
// made and the source could not be removed, it is at both, and the error's Key is from: Changed if
// the source was replaced meanwhile. To continue, repeat the call, without IfAbsent. If the store
// has no [ConditionalRemove], a change in the moment before the removal is lost.
func Move(ctx context.Context, b ReadWriter, from, to string, opts ...CopyOption) (*Attrs, error) {
	if in, ok := find[ServerCopier](b); ok {
		return in.Move(ctx, from, to, opts...)
	}
	return moveByCopy(ctx, b, from, to, opts)
}

func moveByCopy(ctx context.Context, b ReadWriter, from, to string, opts []CopyOption) (a *Attrs, err error) {
	var given CopyOptions
	if err := given.ApplyMove(from, to, opts...); err != nil {
		return nil, located(b, "Move", to, ownError(err))
	}
	var reads []AttrsOption
	for _, n := range given.SourceNative {
		reads = append(reads, nativeOption(n))
	}
	source, err := b.Attrs(ctx, from, reads...)
	if err == nil {
		a, err = Copy(ctx, b, to, b, from, opts...)
	}
	if err == nil {
		err = removeUnchanged(ctx, b, from, source, reads)
	}
	if err != nil {
		e := ownError(err)
		e.Op = "Move"
		if a == nil && e.Code != ObjectNotFound {
			e.Key = to // that of the source would say that the object is at both
		}
		return nil, e
	}
	return a, nil
}

var errReplaced = errors.New("the source was replaced while it was copied, and was not removed")

// removeUnchanged removes the source of a copy. If it is another object by now, it stays and the error is
// Changed. Without a revision, times are compared.
func removeUnchanged(ctx context.Context, b ReadWriter, key string, source *Attrs, reads []AttrsOption) error {
	changed := located(b, "Move", key, &Error{Code: Changed, Err: errReplaced})
	if source.Revision != "" && Supports(b, ConditionalRemove) {
		err := b.Remove(ctx, key, IfRevision(source.Revision))
		if CodeOf(err) == PreconditionFailed {
			return changed
		}
		return err
	}
	now, err := b.Attrs(ctx, key, reads...)
	switch {
	case CodeOf(err) == ObjectNotFound:
		return nil
	case err != nil:
		return err
	case now.Size != source.Size, source.Revision != "" && now.Revision != source.Revision,
		source.Revision == "" && !now.Modified.Equal(source.Modified):
		return changed
	}
	return b.Remove(ctx, key)
}
