package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/stretchr/testify/require"
)

func TestCodesMatchTheStandardLibrarysSentinels(t *testing.T) {
	for code, sentinel := range map[storage.Code]error{
		storage.ObjectNotFound:   fs.ErrNotExist,
		storage.BucketNotFound:   fs.ErrNotExist,
		storage.BucketExists:     fs.ErrExist,
		storage.InvalidArgument:  fs.ErrInvalid,
		storage.PermissionDenied: fs.ErrPermission,
		storage.Unsupported:      errors.ErrUnsupported,
		storage.Canceled:         context.Canceled,
		storage.DeadlineExceeded: context.DeadlineExceeded,
	} {
		t.Run(string(code), func(t *testing.T) {
			require.ErrorIs(t, code, sentinel, "a bare Code")
			require.ErrorIs(t, &storage.Error{Code: code}, sentinel)
			require.ErrorIs(t, fmt.Errorf("outer: %w", &storage.Error{Code: code}), sentinel)
			require.NotErrorIs(t, &storage.Error{Code: code}, io.EOF)
		})
	}
}

func TestErrorIsItsCodeAndUnknownIsOutcomeUnknown(t *testing.T) {
	err := fmt.Errorf("outer: %w", &storage.Error{Code: storage.Unavailable, Unknown: true})
	require.ErrorIs(t, err, storage.Unavailable)
	require.ErrorIs(t, err, storage.OutcomeUnknown)
	require.NotErrorIs(t, &storage.Error{Code: storage.Unavailable}, storage.OutcomeUnknown)
}

// Only the outcome of a write can be unknown: the sources of Copy and Compose are read.
func TestASourceThatCannotBeReadIsNoUnknownOutcome(t *testing.T) {
	lost := &storage.Error{Code: storage.Internal, Unknown: true}
	b := memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "Head" {
				return lost
			}
			return next(ctx)
		})
	}))
	for _, row := range []struct {
		name string
		call func() (*storage.Attrs, error)
	}{
		{"Copy", func() (*storage.Attrs, error) { return storage.Copy(t.Context(), b, "to", b, "k") }},
		{"Compose", func() (*storage.Attrs, error) { return storage.Compose(t.Context(), b, "to", []string{"k"}) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := row.call()
			require.ErrorIs(t, err, storage.Internal)
			require.NotErrorIs(t, err, storage.OutcomeUnknown)
		})
	}
}

func TestCodeOf(t *testing.T) {
	inner := &storage.Error{Code: storage.Locked}
	for name, row := range map[string]struct {
		err  error
		want storage.Code
	}{
		"nil":            {nil, ""},
		"bare":           {storage.TooLarge, storage.TooLarge},
		"error":          {inner, storage.Locked},
		"wrapped":        {fmt.Errorf("x: %w", inner), storage.Locked},
		"joined":         {errors.Join(io.EOF, inner, storage.TooLarge), storage.Locked},
		"outermost wins": {&storage.Error{Code: storage.BodyFailed, Err: inner}, storage.BodyFailed},
		"somebody's":     {io.EOF, storage.Internal},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, row.want, storage.CodeOf(row.err)) })
	}
}

func TestErrorTextNeverShowsASignature(t *testing.T) {
	for _, cause := range []string{
		"Get https://b.s3.amazonaws.com/k?X-Amz-Signature=SECRET&X-Amz-Credential=SECRET: EOF",
		`Put "https://a.blob.core.windows.net/c/k?sv=1&sig=SECRET%3D": reset`,
		"refused X-Amz-Security-Token=SECRET here",
		"AccountKey=SECRET;EndpointSuffix=x",
	} {
		t.Run(cause, func(t *testing.T) {
			text := (&storage.Error{Code: storage.Internal, Err: errors.New(cause)}).Error()
			require.NotContains(t, text, "SECRET")
		})
	}
}

func TestErrorTextNamesOperationAndObject(t *testing.T) {
	err := &storage.Error{
		Code: storage.PermissionDenied, Op: "Upload", Provider: "s3", Bucket: "pictures", Key: "a b\n", Hint: "look at the policy",
		Err: errors.New("AccessDenied"),
	}
	require.Equal(t, `storage: Upload "a b\n" in s3 bucket "pictures": permission denied: AccessDenied (look at the policy)`, err.Error())
}

func TestErrorTextIsShortForAnyKey(t *testing.T) {
	long := strings.Repeat("é", 1<<19)
	for name, do := range map[string]func(b storage.Bucket) error{
		"a key":            func(b storage.Bucket) error { return b.Remove(t.Context(), long) },
		"a metadata key":   func(b storage.Bucket) error { return upload(t, b, storage.WithMetadata(map[string]string{long: "v"})) },
		"a metadata value": func(b storage.Bucket) error { return upload(t, b, storage.WithMetadata(map[string]string{"k": long})) },
		"a type":           func(b storage.Bucket) error { return upload(t, b, storage.WithContentType(long)) },
		"an address": func(storage.Bucket) error {
			_, err := storage.Open(t.Context(), strings.Repeat("a", 1<<20)+"://b")
			return err
		},
		"a parameter": func(storage.Bucket) error {
			_, err := storage.Open(t.Context(), "mem://b?"+strings.Repeat("a", 1<<20)+"=b")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := do(memstore.New())
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Less(t, len(err.Error()), 10_000)
		})
	}
	var e *storage.Error
	require.ErrorAs(t, memstore.New().Remove(t.Context(), long), &e)
	require.Equal(t, long, e.Key, "the field has all of it")
}

func upload(t *testing.T, b storage.Bucket, opts ...storage.UploadOption) error {
	t.Helper()
	_, err := b.Upload(t.Context(), "k", strings.NewReader("x"), opts...)
	return err
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

type ownError struct{ detail string }

func (e *ownError) Error() string { return e.detail }

func TestAFailedBodyIsNotTakenForAFailedUpload(t *testing.T) {
	b := memstore.New()
	mine := &ownError{"mine"}
	for name, row := range map[string]struct {
		body  error
		masks []error
	}{
		"an error of the reader's own": {body: mine},
		"a failed download": {
			body:  fmt.Errorf("source: %w", &storage.Error{Code: storage.PreconditionFailed, Err: mine}),
			masks: []error{storage.PreconditionFailed},
		},
		"a sentinel": {
			body:  errors.Join(fs.ErrNotExist, fs.ErrExist, mine),
			masks: []error{fs.ErrNotExist, fs.ErrExist},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Upload(t.Context(), "k", failingReader{row.body})
			require.Equal(t, storage.BodyFailed, storage.CodeOf(err))
			require.ErrorIs(t, err, storage.BodyFailed)
			require.ErrorIs(t, err, mine)
			var reached *ownError
			require.ErrorAs(t, err, &reached)
			for _, masked := range row.masks {
				require.NotErrorIs(t, err, masked)
			}
		})
	}
}

func TestSignedValuesShowNoSecretAsText(t *testing.T) {
	u := storage.SignedURL{Method: "GET", URL: "https://h/k?sig=SECRET"}
	f := storage.SignedForm{URL: "https://h/", Fields: map[string]string{"policy": "SECRET"}}
	c := storage.Credentials{AccessKeyID: "id", SecretKey: "SECRET", SessionToken: "SECRET"}
	for _, v := range []any{u, &u, f, &f, c, &c, struct{ U storage.SignedURL }{u}, []any{u, f, c}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			require.False(t, strings.Contains(fmt.Sprintf(verb, v), "SECRET"), "%s of %T", verb, v)
		}
	}
	require.NotContains(t, u.LogValue().String()+f.LogValue().String()+c.LogValue().String(), "SECRET")
}

func TestAFailedIfAbsentSaysThatTheKeyExists(t *testing.T) {
	ctx, b := t.Context(), memstore.New()
	attrs, err := b.Upload(ctx, "a", strings.NewReader("x"), storage.IfAbsent())
	require.NoError(t, err)
	_, err = b.Upload(ctx, "a", strings.NewReader("y"), storage.IfAbsent())
	require.EqualError(t, err, `storage: Upload "a" in memory bucket "memory": precondition failed (the key exists already)`)
	_, err = storage.Copy(ctx, b, "a", b, "a", storage.IfAbsent())
	require.ErrorContains(t, err, "(the key exists already)")

	_, err = b.Upload(ctx, "b", strings.NewReader("y"), storage.IfRevision(attrs.Revision))
	require.ErrorIs(t, err, storage.PreconditionFailed)
	require.NotContains(t, err.Error(), "exists")
}

func TestIsTemporary(t *testing.T) {
	busy := &storage.Error{Code: storage.RateLimited, Retryable: true}
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"no error", nil, false},
		{"an error that may pass", busy, true},
		{"the same with context", fmt.Errorf("backup: %w", busy), true},
		{"the same among others", errors.Join(errors.New("other"), busy), true},
		{"an error that stays", &storage.Error{Code: storage.PermissionDenied}, false},
		{"an error of another package", io.ErrUnexpectedEOF, false},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.want, storage.IsTemporary(test.err)) })
	}
}
