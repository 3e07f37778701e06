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

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A telemetryFixture is what a row of spanCalls works on.
type telemetryFixture struct {
	service storage.Service
	bucket  storage.Bucket // the only one of service; it locks objects, and has the object "k"
	path    string         // of a file that does not exist
}

func (fixture *telemetryFixture) beginUpload(ctx context.Context) storage.MultipartUpload {
	upload, err := storage.BeginUpload(ctx, fixture.bucket, "parts")
	if err != nil {
		panic(err)
	}
	return upload
}

// A spanCall calls one function or method of the API.
type spanCall struct {
	span string // the name of its span; "" if that is the name of the function
	call func(ctx context.Context, fixture *telemetryFixture) error
}

// errorOf returns the error of a call with one result, and errorOf2 that of a call with two.
func errorOf[A any](_ A, err error) error          { return err }
func errorOf2[A, B any](_ A, _ B, err error) error { return err }

// iterate reads a listing to its end, and returns its first error.
func iterate[T any](entries iter.Seq2[T, error]) error {
	for _, err := range entries {
		if err != nil {
			return err
		}
	}
	return nil
}

func body() *strings.Reader { return strings.NewReader("body") }

// spanCalls has a row for each function and method that takes a context and is an operation.
var spanCalls = map[string]spanCall{
	"Service.BucketInfo": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(fixture.service.BucketInfo(ctx, "one"))
	}},
	"Service.Buckets": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return iterate(fixture.service.Buckets(ctx))
	}},
	"Service.CreateBucket": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(fixture.service.CreateBucket(ctx, "two"))
	}},
	"Service.DeleteBucket": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return expectCode(fixture.service.DeleteBucket(ctx, "none"), storage.BucketNotFound)
	}},
	"Service.UpdateBucket": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(fixture.service.UpdateBucket(ctx, "one"))
	}},
	"Service.Credentials": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return expectCode(errorOf(fixture.service.Credentials(ctx, "one")), storage.Unsupported)
	}},
	"Upload": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(fixture.bucket.Upload(ctx, "a", body()))
	}},
	"Download": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return closeResult(fixture.bucket.Download(ctx, "k"))
	}},
	"Attrs": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(fixture.bucket.Attrs(ctx, "k"))
	}},
	"Exists": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(fixture.bucket.Exists(ctx, "k"))
	}},
	"List": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return iterate(fixture.bucket.List(ctx))
	}},
	"Remove": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return fixture.bucket.Remove(ctx, "k")
	}},
	"SignedUploadURL": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(fixture.bucket.SignedUploadURL(ctx, "a"))
	}},
	"SignedDownloadURL": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(fixture.bucket.SignedDownloadURL(ctx, "a"))
	}},
	"Vend": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(storage.Vend(ctx, fixture.bucket, "", storage.Rights{Read: true}, time.Hour))
	}},
	"SignedRemoveURL": {
		"",
		func(ctx context.Context, fixture *telemetryFixture) error {
			return errorOf(storage.SignedRemoveURL(ctx, fixture.bucket, "a"))
		},
	},
	"SignedUploadForm": {
		"",
		func(ctx context.Context, fixture *telemetryFixture) error {
			return errorOf(storage.SignedUploadForm(ctx, fixture.bucket, "a", 0, 9))
		},
	},

	"BeginUpload": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		fixture.beginUpload(ctx)
		return nil
	}},
	"MultipartUpload.PutPart": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(fixture.beginUpload(ctx).PutPart(ctx, 1, body()))
	}},
	"MultipartUpload.Parts": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(fixture.beginUpload(ctx).Parts(ctx))
	}},
	"MultipartUpload.SignPart": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(fixture.beginUpload(ctx).SignPart(ctx, 1, storage.WithSize(4), storage.WithCRC32C(1)))
	}},
	"MultipartUpload.Abort": {"AbortUpload", func(ctx context.Context, fixture *telemetryFixture) error {
		return fixture.beginUpload(ctx).Abort(ctx)
	}},
	"MultipartUpload.Complete": {"CompleteUpload", func(ctx context.Context, fixture *telemetryFixture) error {
		u := fixture.beginUpload(ctx)
		return errors.Join(errorOf(u.PutPart(ctx, 1, body())), errorOf(u.Complete(ctx)))
	}},
	"ContinueUpload": {"PutPart", func(ctx context.Context, fixture *telemetryFixture) error {
		u, err := storage.ContinueUpload(ctx, fixture.bucket, fixture.beginUpload(ctx).Token())
		if err != nil {
			return err
		}
		return errorOf(u.PutPart(ctx, 1, body()))
	}},
	"ContinueListedUpload": {"PutPart", func(ctx context.Context, fixture *telemetryFixture) error {
		fixture.beginUpload(ctx)
		for entry, err := range storage.ListUploads(ctx, fixture.bucket) {
			if err != nil {
				return err
			}
			u, err := storage.ContinueListedUpload(ctx, fixture.bucket, entry)
			return errors.Join(err, errorOf(u.PutPart(ctx, 1, body())))
		}
		return nil
	}},
	"PutSignedPart": {"PutPart", func(ctx context.Context, fixture *telemetryFixture) error {
		return expectCode(errorOf(storage.PutSignedPart(ctx, fixture.bucket, "a", "none", 1, body())),
			storage.ObjectNotFound)
	}},
	"ListUploads": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return iterate(storage.ListUploads(ctx, fixture.bucket))
	}},
	"AbortUpload": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		fixture.beginUpload(ctx)
		for entry, err := range storage.ListUploads(ctx, fixture.bucket) {
			return errors.Join(err, storage.AbortUpload(ctx, fixture.bucket, entry))
		}
		return nil
	}},
	"AbandonUpload": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		killed, kill := context.WithCancel(ctx)
		stop := storage.WithProgress(func(n, _ int64) {
			if n > 0 {
				kill()
			}
		})
		big := bytes.NewReader(make([]byte, 8<<20))
		err := errorOf(fixture.bucket.Upload(killed, "a", big, storage.WithPartSize(1<<20), storage.WithConcurrency(1),
			storage.WithResume(fixture.path), stop))
		return errors.Join(expectCode(err, storage.Canceled),
			storage.AbandonUpload(ctx, fixture.bucket, fixture.path))
	}},

	"Compose": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(storage.Compose(ctx, fixture.bucket, "a", []string{"k"}))
	}},
	"Copy": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(storage.Copy(ctx, fixture.bucket, "a", fixture.bucket, "k"))
	}},
	"Move": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(storage.Move(ctx, fixture.bucket, "k", "a"))
	}},
	"DownloadFile": {"Download", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(storage.DownloadFile(ctx, fixture.bucket, "k", fixture.path))
	}},
	"UploadFile": {"Upload", func(ctx context.Context, fixture *telemetryFixture) error {
		return errors.Join(os.WriteFile(fixture.path, nil, 0o600),
			errorOf(storage.UploadFile(ctx, fixture.bucket, "a", fixture.path)))
	}},
	"FS": {"Download", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(fs.ReadFile(storage.FS(ctx, fixture.bucket), "k"))
	}},
	"NewReaderAt": {"Download", func(ctx context.Context, fixture *telemetryFixture) error {
		reader, err := storage.NewReaderAt(ctx, fixture.bucket, "k")
		if err != nil {
			return err
		}
		return errors.Join(errorOf(reader.ReadAt(make([]byte, 1), 0)), reader.Close())
	}},
	"ReaderAt.ReadAtContext": {"Download", func(ctx context.Context, fixture *telemetryFixture) error {
		reader, err := storage.NewReaderAt(ctx, fixture.bucket, "k")
		if err != nil {
			return err
		}
		return errors.Join(errorOf(reader.ReadAtContext(ctx, make([]byte, 1), 0)), reader.Close())
	}},
	"NewWriter": {"Upload", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(storage.NewWriter(ctx, fixture.bucket, "a").Commit())
	}},
	"ReadAll": {"Download", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf2(storage.ReadAll(ctx, fixture.bucket, "k"))
	}},
	"ReadRanges": {"Download", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf2(storage.ReadRanges(ctx, fixture.bucket, "k", []storage.Range{{Length: 1}}))
	}},
	"ListPage": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(storage.ListPage(ctx, fixture.bucket, ""))
	}},
	"Versions": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return iterate(storage.Versions(ctx, fixture.bucket))
	}},
	"RemoveAll": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(storage.RemoveAll(ctx, fixture.bucket, slices.Values([]string{"k"})))
	}},
	"RemoveVersions": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		attrs, err := fixture.bucket.Attrs(ctx, "k")
		if err != nil {
			return err
		}
		return errorOf(storage.RemoveVersions(ctx, fixture.bucket, slices.Values([]storage.VersionEntry{{ListEntry: storage.ListEntry{Key: "k"}, Version: attrs.Version}})))
	}},
	"RemoveMatching": {"RemoveAll", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(storage.RemoveMatching(ctx, fixture.bucket, nil))
	}},
	"Restore": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return storage.Restore(ctx, fixture.bucket, "k")
	}},
	"SetLegalHold": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return storage.SetLegalHold(ctx, fixture.bucket, "k", true)
	}},
	"SetRetention": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return storage.SetRetention(ctx, fixture.bucket, "k",
			storage.Retention{Mode: storage.Governance, Until: time.Now().Add(time.Hour)})
	}},
	"SetTags": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return storage.SetTags(ctx, fixture.bucket, "k", nil)
	}},
	"Tags": {"", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(storage.Tags(ctx, fixture.bucket, "k"))
	}},
	"Append": {"Copy", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(storage.Append(ctx, fixture.bucket, "k", []byte("x")))
	}},
	"Update": {"Upload", func(ctx context.Context, fixture *telemetryFixture) error {
		return errorOf(storage.Update(ctx, fixture.bucket, "k", func([]byte, *storage.Attrs) ([]byte, error) {
			return []byte("x"), nil
		}))
	}},
}

// withoutSpan lists the functions with a context that are no operations. StreamCopy is a part of its caller's
// operation.
var withoutSpan = []string{
	"AsError", "CopySource.Download", "Open", "OpenService", "SignedURL.Request", "StreamCopy",
}

// expectCode returns nil if err has the Code want, and an error otherwise.
func expectCode(err error, want storage.Code) error {
	if errors.Is(err, want) {
		return nil
	}
	return errors.Join(errors.New("want "+want.Error()), err)
}

// closeResult closes the result of a call, and returns the first error.
func closeResult(c io.Closer, err error) error {
	if err != nil {
		return err
	}
	return c.Close()
}

// functionWithContext matches a function or method of docs/api/storage.txt that takes a context. Its groups are
// the type of the receiver and the name.
var functionWithContext = regexp.MustCompile(
	`(?m)^(?:func (?:\(\w+ \*?(\w+)\) )?|` +
		`type (?:Uploader|Downloader|AttrsReader|Lister|Remover|SignedUploader|SignedDownloader), )` +
		`(\w+)(?: func)?\(ctx context\.Context`)

// Each function and method in docs/api/storage.txt that takes a context has a row in spanCalls or is named in
// withoutSpan.
func TestSpanCallsHaveEachFunction(t *testing.T) {
	api, err := os.ReadFile("../docs/api/storage.txt")
	require.NoError(t, err)
	matches := functionWithContext.FindAllStringSubmatch(string(api), -1)
	require.GreaterOrEqual(t, len(matches), 40)

	var missing []string
	for _, match := range matches {
		receiver := match[1]
		function := match[2]
		name := strings.TrimPrefix(receiver+"."+function, ".")
		_, hasRow := spanCalls[name]
		if !hasRow && !slices.Contains(withoutSpan, name) {
			missing = append(missing, name)
		}
	}
	require.Empty(t, missing, "functions without a row in spanCalls")
}

// Each call in spanCalls makes a span, such as "storage.Upload", with its name.
func TestSpanOfEachFunction(t *testing.T) {
	for name, tt := range spanCalls {
		t.Run(name, func(t *testing.T) {
			// The recorder keeps the spans of all calls.
			telemetry := newRecorder()
			service := memstore.NewService(memstore.ServiceConfig{},
				telemetry.option(),
				storage.WithSigningBaseURL("https://files.example.com"))
			defer func() {
				require.NoError(t, service.Close())
			}()

			// The call finds a bucket with an object.
			_, err := service.CreateBucket(t.Context(), "one", storage.WithObjectLock())
			require.NoError(t, err)
			bucket, err := service.Bucket("one")
			require.NoError(t, err)
			_, err = bucket.Upload(t.Context(), "k", body())
			require.NoError(t, err)
			fixture := &telemetryFixture{service, bucket, filepath.Join(t.TempDir(), "file")}

			// Record only the spans of this call.
			telemetry.spans = nil
			require.NoError(t, tt.call(t.Context(), fixture))

			var names []string
			for _, span := range telemetry.spans {
				names = append(names, span.name)
				require.Regexp(t, `^storage\.[A-Z][A-Za-z]+$`, span.name)
				require.True(t, span.ended, span.name)
			}
			want := tt.span
			if want == "" {
				want = name[strings.Index(name, ".")+1:] // without the receiver
			}
			require.Contains(t, names, "storage."+want)
		})
	}
}
