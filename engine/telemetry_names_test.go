package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A withTelemetry is what one row of spanCalls calls: an account with one bucket, which locks objects
// and has the object "k".
type withTelemetry struct {
	service storage.Service
	b       storage.Bucket
	file    string // a path without a file
}

func (w *withTelemetry) begin(ctx context.Context) storage.MultipartUpload {
	u, err := storage.BeginUpload(ctx, w.b, "parts")
	if err != nil {
		panic(err)
	}
	return u
}

// A spanCall calls one function or method of the API. It has a span with the name of the function,
// or with that of span.
type spanCall struct {
	span string
	call func(ctx context.Context, w *withTelemetry) error
}

func none[A any](_ A, err error) error          { return err }
func none2[A, B any](_ A, _ B, err error) error { return err }

func drained[T any](all iter.Seq2[T, error]) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

func body() *strings.Reader { return strings.NewReader("body") }

var spanCalls = map[string]spanCall{
	"Service.BucketInfo": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(w.service.BucketInfo(ctx, "one"))
	}},
	"Service.Buckets": {"", func(ctx context.Context, w *withTelemetry) error {
		return drained(w.service.Buckets(ctx))
	}},
	"Service.CreateBucket": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(w.service.CreateBucket(ctx, "two"))
	}},
	"Service.DeleteBucket": {"", func(ctx context.Context, w *withTelemetry) error {
		return expect(w.service.DeleteBucket(ctx, "none"), storage.BucketNotFound)
	}},
	"Service.UpdateBucket": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(w.service.UpdateBucket(ctx, "one"))
	}},
	"Service.Credentials": {"", func(ctx context.Context, w *withTelemetry) error {
		return expect(none(w.service.Credentials(ctx, "one")), storage.Unsupported)
	}},
	"Upload": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(w.b.Upload(ctx, "a", body()))
	}},
	"Download": {"", func(ctx context.Context, w *withTelemetry) error {
		return closed(w.b.Download(ctx, "k"))
	}},
	"Attrs": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(w.b.Attrs(ctx, "k"))
	}},
	"Exists": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(w.b.Exists(ctx, "k"))
	}},
	"List": {"", func(ctx context.Context, w *withTelemetry) error {
		return drained(w.b.List(ctx))
	}},
	"Remove": {"", func(ctx context.Context, w *withTelemetry) error {
		return w.b.Remove(ctx, "k")
	}},
	"SignedUploadURL": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(w.b.SignedUploadURL(ctx, "a"))
	}},
	"SignedDownloadURL": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(w.b.SignedDownloadURL(ctx, "a"))
	}},
	"Vend": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(storage.Vend(ctx, w.b, "", storage.Rights{Read: true}, time.Hour))
	}},
	"SignedRemoveURL": {
		"",
		func(ctx context.Context, w *withTelemetry) error {
			return none(storage.SignedRemoveURL(ctx, w.b, "a"))
		},
	},
	"SignedUploadForm": {
		"",
		func(ctx context.Context, w *withTelemetry) error {
			return none(storage.SignedUploadForm(ctx, w.b, "a", 0, 9))
		},
	},

	"BeginUpload": {"", func(ctx context.Context, w *withTelemetry) error {
		w.begin(ctx)
		return nil
	}},
	"MultipartUpload.PutPart": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(w.begin(ctx).PutPart(ctx, 1, body()))
	}},
	"MultipartUpload.Parts": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(w.begin(ctx).Parts(ctx))
	}},
	"MultipartUpload.SignPart": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(w.begin(ctx).SignPart(ctx, 1, storage.WithSize(4), storage.WithCRC32C(1)))
	}},
	"MultipartUpload.Abort": {"AbortUpload", func(ctx context.Context, w *withTelemetry) error {
		return w.begin(ctx).Abort(ctx)
	}},
	"MultipartUpload.Complete": {"CompleteUpload", func(ctx context.Context, w *withTelemetry) error {
		u := w.begin(ctx)
		return errors.Join(none(u.PutPart(ctx, 1, body())), none(u.Complete(ctx)))
	}},
	"ContinueUpload": {"PutPart", func(ctx context.Context, w *withTelemetry) error {
		u, err := storage.ContinueUpload(ctx, w.b, w.begin(ctx).Token())
		if err != nil {
			return err
		}
		return none(u.PutPart(ctx, 1, body()))
	}},
	"ContinueListedUpload": {"PutPart", func(ctx context.Context, w *withTelemetry) error {
		w.begin(ctx)
		for entry, err := range storage.ListUploads(ctx, w.b) {
			if err != nil {
				return err
			}
			u, err := storage.ContinueListedUpload(ctx, w.b, entry)
			return errors.Join(err, none(u.PutPart(ctx, 1, body())))
		}
		return nil
	}},
	"PutSignedPart": {"PutPart", func(ctx context.Context, w *withTelemetry) error {
		return expect(none(storage.PutSignedPart(ctx, w.b, "a", "none", 1, body())), storage.ObjectNotFound)
	}},
	"ListUploads": {"", func(ctx context.Context, w *withTelemetry) error {
		return drained(storage.ListUploads(ctx, w.b))
	}},
	"AbortUpload": {"", func(ctx context.Context, w *withTelemetry) error {
		w.begin(ctx)
		for entry, err := range storage.ListUploads(ctx, w.b) {
			return errors.Join(err, storage.AbortUpload(ctx, w.b, entry))
		}
		return nil
	}},
	"AbandonUpload": {"", func(ctx context.Context, w *withTelemetry) error {
		killed, kill := context.WithCancel(ctx)
		stop := storage.WithProgress(func(n, _ int64) {
			if n > 0 {
				kill()
			}
		})
		big := bytes.NewReader(make([]byte, 8<<20))
		err := none(w.b.Upload(killed, "a", big, storage.WithPartSize(1<<20), storage.WithConcurrency(1),
			storage.WithResume(w.file), stop))
		return errors.Join(expect(err, storage.Canceled), storage.AbandonUpload(ctx, w.b, w.file))
	}},

	"Compose": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(storage.Compose(ctx, w.b, "a", []string{"k"}))
	}},
	"Copy": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(storage.Copy(ctx, w.b, "a", w.b, "k"))
	}},
	"Move": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(storage.Move(ctx, w.b, "k", "a"))
	}},
	"DownloadFile": {"Download", func(ctx context.Context, w *withTelemetry) error {
		return none(storage.DownloadFile(ctx, w.b, "k", w.file))
	}},
	"UploadFile": {"Upload", func(ctx context.Context, w *withTelemetry) error {
		return errors.Join(os.WriteFile(w.file, nil, 0o600), none(storage.UploadFile(ctx, w.b, "a", w.file)))
	}},
	"FS": {"Download", func(ctx context.Context, w *withTelemetry) error {
		return none(fs.ReadFile(storage.FS(ctx, w.b), "k"))
	}},
	"NewReaderAt": {"Download", func(ctx context.Context, w *withTelemetry) error {
		r, err := storage.NewReaderAt(ctx, w.b, "k")
		if err != nil {
			return err
		}
		return errors.Join(none(r.ReadAt(make([]byte, 1), 0)), r.Close())
	}},
	"ReaderAt.ReadAtContext": {"Download", func(ctx context.Context, w *withTelemetry) error {
		r, err := storage.NewReaderAt(ctx, w.b, "k")
		if err != nil {
			return err
		}
		return errors.Join(none(r.ReadAtContext(ctx, make([]byte, 1), 0)), r.Close())
	}},
	"NewWriter": {"Upload", func(ctx context.Context, w *withTelemetry) error {
		return none(storage.NewWriter(ctx, w.b, "a").Commit())
	}},
	"ReadAll": {"Download", func(ctx context.Context, w *withTelemetry) error {
		return none2(storage.ReadAll(ctx, w.b, "k"))
	}},
	"ReadRanges": {"Download", func(ctx context.Context, w *withTelemetry) error {
		return none2(storage.ReadRanges(ctx, w.b, "k", []storage.Range{{Length: 1}}))
	}},
	"ListPage": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(storage.ListPage(ctx, w.b, ""))
	}},
	"Versions": {"", func(ctx context.Context, w *withTelemetry) error {
		return drained(storage.Versions(ctx, w.b))
	}},
	"RemoveAll": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(storage.RemoveAll(ctx, w.b, slices.Values([]string{"k"})))
	}},
	"RemoveVersions": {"", func(ctx context.Context, w *withTelemetry) error {
		attrs, err := w.b.Attrs(ctx, "k")
		if err != nil {
			return err
		}
		return none(storage.RemoveVersions(ctx, w.b, slices.Values([]storage.VersionEntry{{ListEntry: storage.ListEntry{Key: "k"}, Version: attrs.Version}})))
	}},
	"RemoveMatching": {"RemoveAll", func(ctx context.Context, w *withTelemetry) error {
		return none(storage.RemoveMatching(ctx, w.b, nil))
	}},
	"Restore": {"", func(ctx context.Context, w *withTelemetry) error {
		return storage.Restore(ctx, w.b, "k")
	}},
	"SetLegalHold": {"", func(ctx context.Context, w *withTelemetry) error {
		return storage.SetLegalHold(ctx, w.b, "k", true)
	}},
	"SetRetention": {"", func(ctx context.Context, w *withTelemetry) error {
		return storage.SetRetention(ctx, w.b, "k",
			storage.Retention{Mode: storage.Governance, Until: time.Now().Add(time.Hour)})
	}},
	"SetTags": {"", func(ctx context.Context, w *withTelemetry) error {
		return storage.SetTags(ctx, w.b, "k", nil)
	}},
	"Tags": {"", func(ctx context.Context, w *withTelemetry) error {
		return none(storage.Tags(ctx, w.b, "k"))
	}},
	"Append": {"Copy", func(ctx context.Context, w *withTelemetry) error {
		return none(storage.Append(ctx, w.b, "k", []byte("x")))
	}},
	"Update": {"Upload", func(ctx context.Context, w *withTelemetry) error {
		return none(storage.Update(ctx, w.b, "k", func([]byte, *storage.Attrs) ([]byte, error) {
			return []byte("x"), nil
		}))
	}},
}

// withoutSpan are the functions with a context that are no operations. StreamCopy is a part of its caller's operation.
var withoutSpan = []string{
	"AsError", "CopySource.Download", "Open", "OpenService", "SignedURL.Request", "StreamCopy",
}

func expect(err error, want storage.Code) error {
	if errors.Is(err, want) {
		return nil
	}
	return errors.Join(errors.New("want "+want.Error()), err)
}

func closed(c io.Closer, err error) error {
	if err != nil {
		return err
	}
	return c.Close()
}

// Each function and method in docs/api/storage.txt that takes a context has a row in spanCalls or in withoutSpan. Each call in
// spanCalls makes its span.
func TestSpanOfEachFunction(t *testing.T) {
	listing, err := os.ReadFile("../docs/api/storage.txt")
	require.NoError(t, err)
	withContext := regexp.MustCompile(`(?m)^(?:func (?:\(\w+ \*?(\w+)\) )?|type (?:Uploader|Downloader|AttrsReader|Lister|Remover|SignedUploader|SignedDownloader), )(\w+)(?: func)?\(ctx context\.Context`)

	matches := withContext.FindAllStringSubmatch(string(listing), -1)
	require.GreaterOrEqual(t, len(matches), 40)
	var absent []string
	for _, m := range matches {
		name := strings.TrimPrefix(m[1]+"."+m[2], ".")
		if _, has := spanCalls[name]; !has && !slices.Contains(withoutSpan, name) {
			absent = append(absent, name)
		}
	}
	require.Empty(t, absent, "functions without a row in spanCalls")

	spanName := regexp.MustCompile(`^storage\.[A-Z][A-Za-z]+$`)
	for name, row := range spanCalls {
		t.Run(name, func(t *testing.T) {
			r := &recorder{metrics: map[string][]attribute.Set{}}
			account := memstore.NewService(memstore.ServiceConfig{},
				storage.WithTelemetry(r, recordingMeters{recorder: r}), storage.WithSigningBaseURL("https://files.example.com"))
			defer func() {
				require.NoError(t, account.Close())
			}()
			_, err := account.CreateBucket(t.Context(), "one", storage.WithObjectLock())
			require.NoError(t, err)
			b, err := account.Bucket("one")
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "k", body())
			require.NoError(t, err)
			r.spans = nil
			require.NoError(t,
				row.call(t.Context(), &withTelemetry{account, b, filepath.Join(t.TempDir(), "file")}))

			require.NotEmpty(t, r.spans)
			var names []string
			for _, s := range r.spans {
				names = append(names, s.name)
				require.Regexp(t, spanName, s.name)
				require.True(t, s.ended, s.name)
			}
			want := row.span
			if want == "" {
				want = name[strings.Index(name, ".")+1:]
			}
			require.Contains(t, names, "storage."+want)
		})
	}
}
