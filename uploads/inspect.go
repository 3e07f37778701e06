package uploads

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
	"github.com/omnibucket/storage/uploads/rules"
)

// inspect calls Config.Inspect for a stored object that will become the file of t. A refusal is returned as
// an *Error, and any other error of Config.Inspect as an inspectError.
func (s *setup) inspect(ctx context.Context, f *File, content *storage.Attrs, t *session.Target) error {
	// Describe the file as it will be stored.
	f.Key = t.Key
	f.Size = content.Size
	f.ContentType = cmp.Or(t.ContentType, content.ContentType)
	if s.config.Inspect == nil {
		return nil
	}

	reader, err := storage.NewReaderAt(ctx, s.bucket, content.Key)
	if err != nil {
		return err
	}
	defer reader.Close()

	s.identify(f)
	oldType := f.ContentType
	err = s.config.Inspect(ctx, f, reader)
	// Config.Inspect may choose another type.
	if f.ContentType != oldType {
		t.ContentType = f.ContentType
	}

	// Tell a refusal from a failure of Config.Inspect.
	if refused := refusal.Of(err); refused != nil {
		return refused.WithDefaults(refusal.CodeRefused, "This file cannot be uploaded here.")
	}
	if err != nil {
		return inspectError{err}
	}
	return nil
}

// An inspectError wraps an error of Config.Inspect that is not an *Error. Such an error does not
// refuse the content. The upload stays, and the client may try again.
type inspectError struct{ error }

// inspectStored checks a stored object against the rules, and against the length that its sender has claimed
// unless claimed is 0. If the object breaks a rule, inspectStored returns its attributes and the refusal. After
// any other failure, it returns only the error, whose meaning the caller decides.
func (s *setup) inspectStored(
	ctx context.Context, key string, claimed int64,
) (*storage.Attrs, *rules.Verdict, error) {
	reader, err := s.bucket.Download(ctx, key, storage.WithRange(0, rules.Looks))
	if err != nil {
		return nil, nil, err
	}
	defer reader.Close()

	// Service.Finish leaves an empty object of this type in place of a file that it has copied.
	attrs := reader.Attrs()
	isSpent := attrs.Size == 0 && attrs.ContentType == contentTypeOfSpent
	if isSpent {
		return nil, nil, errSpent
	}
	if err := newBounds(s.judge, claimed).check(attrs.Size); err != nil {
		return attrs, nil, err
	}

	// Inspect the first bytes.
	verdict, err := s.judge.Inspect(ctx, reader, "")
	if refused := refusal.ByRules(err); refused != nil {
		return attrs, nil, refused
	}
	if err != nil {
		return nil, nil, err
	}
	return attrs, verdict, nil
}

// isRefusal reports whether an error of inspectStored or inspectFinal says that the file breaks a rule. If the store
// or the sender failed, it returns false.
func isRefusal(err error) bool {
	code := refusal.StoreFailed(err).Code
	return code != refusal.CodeStoreFailed && code != refusal.CodeInterrupted
}

// hasType reports whether the type of a stored object is the one that its content has. If not, the content
// was replaced after the type had been determined.
func (s *setup) hasType(a *storage.Attrs, v *rules.Verdict) bool {
	if !storage.Supports(s.bucket, storage.ContentProperties) {
		return true
	}
	stored, _, _ := strings.Cut(a.ContentType, ";")
	detected, _, _ := strings.Cut(v.ContentType, ";")
	return strings.EqualFold(stored, detected)
}

// contentTypeOfSpent is the type of the empty object that replaces a file after Finish. Objects
// that a sender stores have session.PendingType.
const contentTypeOfSpent = "application/x-omnibucket-finished"

var errSpent = errors.New("the ticket's file was finished")

// unjudged is the Verdict on each file if Rules do not look at the content.
var unjudged = &rules.Verdict{MediaType: session.PendingType, ContentType: session.PendingType}
