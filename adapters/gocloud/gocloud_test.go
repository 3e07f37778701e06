package gocloud

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/drivertest"
	"gocloud.dev/gcerrors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/minioserver"
	omnidriver "github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/serve"
)

// The Go CDK's conformance tests pass on each store.
func TestConformance(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (bucket, emptyBucket storage.Bucket){
		"memory": func(t *testing.T) (storage.Bucket, storage.Bucket) {
			open := func(base string) (storage.Bucket, error) {
				return memstore.New(storage.WithSigningBaseURL(base)), nil
			}
			return serveBucket(t, open), nil
		},
		"local": func(t *testing.T) (storage.Bucket, storage.Bucket) {
			dir := t.TempDir()
			emptyBucket, err := local.Open(filepath.Join(dir, "missing"), local.Config{Create: true})
			require.NoError(t, err)
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "missing")))
			return serveBucket(t, func(base string) (storage.Bucket, error) {
				return local.Open(filepath.Join(dir, "bucket"), local.Config{
					Create: true,
					NoSync: true,
				}, storage.WithSigningBaseURL(base))
			}), emptyBucket
		},
		"minio": openMinIO,
	} {
		t.Run(name, func(t *testing.T) {
			b, emptyBucket := open(t)
			drivertest.RunConformanceTests(t, func(context.Context, *testing.T) (drivertest.Harness, error) {
				return harness{b, emptyBucket}, nil
			}, []drivertest.AsTest{asTest{}})
		})
	}
}

// serveBucket opens a bucket, and starts an HTTP server for its signed URLs. open gets the address of that server.
func serveBucket(t *testing.T, open func(base string) (storage.Bucket, error)) storage.Bucket {
	t.Helper()
	server, err := serve.NewServer(open)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server.Bucket
}

func openMinIO(t *testing.T) (b, missing storage.Bucket) {
	t.Helper()
	c := minioserver.NewBucket(t)
	b, err := s3.Open(t.Context(), c)
	require.NoError(t, err)
	c.Bucket += "-missing"
	missing, err = s3.Open(t.Context(), c)
	require.NoError(t, err)
	return b, missing
}

// A harness opens the bucket for the Go CDK's suite.
type harness struct{ bucket, missing storage.Bucket }

func (h harness) MakeDriver(context.Context) (driver.Bucket, error) {
	return &bucket{Bucket: h.bucket}, nil
}

func (h harness) MakeDriverForNonexistentBucket(context.Context) (driver.Bucket, error) {
	if h.missing == nil {
		return nil, nil // a bucket in memory is always there
	}
	return &bucket{Bucket: h.missing}, nil
}

func (harness) HTTPClient() *http.Client         { return &http.Client{} }
func (harness) SupportsCopy() bool               { return true }
func (harness) SupportsNonSlashDelimiters() bool { return true }
func (harness) SkipDownloadAt() bool             { return false }
func (harness) Close()                           {}

// asTest tests As everywhere.
type asTest struct{}

func (asTest) Name() string { return "the library's own types" }

func (asTest) BucketCheck(b *blob.Bucket) error {
	var bucket storage.Bucket
	return want(b.As(&bucket) && bucket != nil, "the storage.Bucket")
}

func (asTest) ErrorCheck(b *blob.Bucket, err error) error {
	var e *storage.Error
	return want(b.ErrorAs(err, &e) && e.Code == storage.ObjectNotFound, "the *storage.Error")
}

func (asTest) BeforeRead(as func(any) bool) error {
	var opts *[]storage.DownloadOption
	return want(as(&opts), "the options of a download")
}

func (asTest) BeforeWrite(as func(any) bool) error {
	var opts *[]storage.UploadOption
	if !as(&opts) {
		return want(false, "the options of an upload")
	}
	*opts = append(*opts, storage.WithCacheControl("max-age=7"))
	return nil
}

func (asTest) BeforeCopy(as func(any) bool) error {
	var opts *[]storage.CopyOption
	return want(as(&opts), "the options of a copy")
}

func (asTest) BeforeDelete(as func(any) bool) error {
	var opts *[]storage.RemoveOption
	return want(as(&opts), "the options of a removal")
}

func (asTest) BeforeList(as func(any) bool) error {
	var opts *[]storage.ListOption
	return want(as(&opts), "the options of a listing")
}

func (asTest) BeforeSign(as func(any) bool) error {
	var download *[]storage.SignedDownloadOption
	var upload *[]storage.SignedUploadOption
	return want(as(&download) || as(&upload), "the options of a signature")
}

func (asTest) AttributesCheck(a *blob.Attributes) error {
	var attrs *storage.Attrs
	return want(a.As(&attrs) && attrs.Revision != "" && a.CacheControl == "max-age=7",
		"the Attrs, with the option of BeforeWrite")
}

func (asTest) ReaderCheck(r *blob.Reader) error {
	var attrs *storage.Attrs
	return want(r.As(&attrs) && attrs.Size == r.Size(), "the reader's Attrs")
}

func (asTest) ListObjectCheck(o *blob.ListObject) error {
	var entry storage.ListEntry
	return want(o.As(&entry) && entry.IsPrefix == o.IsDir, "the ListEntry")
}

func want(ok bool, what string) error {
	if ok {
		return nil
	}
	return errors.New("As does not give " + what)
}

// As gives the SDK's client for a bucket on S3, and an *os.Root for one in a directory. For a prefix or memory, it
// gives neither.
func TestAsGivesTheProvidersOwnClient(t *testing.T) {
	dir := t.TempDir()
	directory, err := local.Open(dir, local.Config{})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(directory))
	})
	onS3, err := s3.Open(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    "http://127.0.0.1:1",
		Region:      "us-east-1",
		AccessKeyID: "id",
		SecretKey:   "secret",
	})
	require.NoError(t, err)

	tests := map[string]struct {
		bucket       storage.Bucket
		root, client bool
	}{
		"a directory": {bucket: directory, root: true},
		"S3":          {bucket: onS3, client: true},
		"a prefix":    {bucket: storage.Prefixed(onS3, "2024/")}, // the client would reach all keys
		"memory":      {bucket: memstore.New()},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := OpenBucket(tt.bucket)
			var root *os.Root
			require.Equal(t, tt.root, b.As(&root))
			require.Equal(t, tt.root, root != nil)

			var client *awss3.Client
			require.Equal(t, tt.client, b.As(&client))
			require.Equal(t, tt.client, client != nil)

			var other int
			require.False(t, b.As(&other))
		})
	}
}

// ErrorAs returns the error of the provider's SDK and the library's own error.
func TestErrorAsGivesTheErrorOfTheSDK(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
	}))
	t.Cleanup(server.Close)
	onS3, err := s3.Open(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Region:      "us-east-1",
		AccessKeyID: "id",
		SecretKey:   "secret",
	})
	require.NoError(t, err)
	b := OpenBucket(onS3)
	_, err = b.ReadAll(t.Context(), "absent")

	var api smithy.APIError
	require.True(t, b.ErrorAs(err, &api))
	require.Equal(t, "NoSuchKey", api.ErrorCode())

	var e *storage.Error
	require.True(t, b.ErrorAs(err, &e))
	var number int
	require.False(t, b.ErrorAs(err, &number))

	var text *strings.Builder
	require.False(t, b.ErrorAs(err, &text))
}

// blob.OpenBucket opens a bucket by an address with the scheme omnibucket.
func TestOpenByAddress(t *testing.T) {
	tests := map[string]struct{ address, key string }{
		"memory":      {"omnibucket://mem/gocloud-address", ""},
		"a directory": {"omnibucket://file/" + filepath.ToSlash(t.TempDir()) + "?sync=false", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := blob.OpenBucket(t.Context(), tt.address)
			require.NoError(t, err)
			require.NoError(t, b.WriteAll(t.Context(), "a/b", []byte("text"), nil))
			got, err := b.ReadAll(t.Context(), "a/b")
			require.NoError(t, err)
			require.Equal(t, "text", string(got))
			require.NoError(t, b.Close())
		})
	}
	for _, address := range []string{"omnibucket://", "omnibucket:mem", "omnibucket://nosuch/bucket"} {
		_, err := blob.OpenBucket(t.Context(), address)
		require.Error(t, err, address)
	}
}

// A key has the same name in the store if the library permits it. Other keys are escaped, and listed as they were
// written.
func TestEscapedKeys(t *testing.T) {
	for key, value := range map[string]string{
		"photos/1.jpg":  "photos/1.jpg",
		"a//b":          "a/__0x2f__b",
		"dir/":          "dir/__0x__",
		"/a":            "__0x2f__a",
		"../a":          "..__0x2f__a",
		"a.":            "a.__0x__",
		"dir//":         "dir/__0x2f__",
		"tab\tand\\":    "tab__0x9__and__0x5c__",
		"☺/größe":       "☺/größe",
		"a__0x2f__b":    "a__0x5f___0x2f__b",
		"__0x2f_\t":     "__0x5f___0x2f___0x9__",
		"a\uFFFE\uFFFF": "a__0xfffe____0xffff__",
	} {
		require.Equal(t, value, escapeKey(key))
		require.Equal(t, key, unescapeKey(value))
	}
}

// FuzzKeys escapes any key, and requires that it unescapes to the key.
func FuzzKeys(f *testing.F) {
	for _, seed := range []string{"a//b/", "___0x2f__", "__0x2f_\t_0x5f__", "..", "_\x7f0x2f__"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if !utf8.ValidString(key) {
			t.Skip("the library refuses it")
		}
		require.Equal(t, key, unescapeKey(escapeKey(key)))
		require.Equal(t, key, unescapeKey(escapePrefix(key)))
	})
}

// A listing with a prefix has exactly the keys with that prefix, also if they are escaped in the store.
func TestPrefixesOfEscapedKeys(t *testing.T) {
	keys := []string{
		"a", "a.", "a..", "a./b", "a/", "a/.", "a//", "a//b", "a/b", "a/b/", "a\\b", "a\tb", "a_b", "a__0x", "a__0x2f__b", "a__b", "/", "//", "/a", ".", "_", "__0x__",
	}
	b := OpenBucket(memstore.New())
	prefixes := map[string]bool{"": true}
	for _, key := range keys {
		require.NoError(t, b.WriteAll(t.Context(), key, []byte(key), nil), key)
		for end := range key {
			prefixes[key[:end+1]] = true
		}
	}

	for prefix := range prefixes {
		var want, listed []string
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		list := b.List(&blob.ListOptions{Prefix: prefix})
		for entry, err := list.Next(t.Context()); err != io.EOF; entry, err = list.Next(t.Context()) {
			require.NoError(t, err)
			listed = append(listed, entry.Key)
		}
		require.ElementsMatch(t, want, listed, "%q", prefix)
	}
}

// A listing accepts a delimiter of several characters, and one that begins with a slash.
func TestDelimitersOfSeveralCharacters(t *testing.T) {
	b := OpenBucket(memstore.New())
	for _, key := range []string{"a", "b/a", "b/ac", "b//c", "d/b", "e\tf", "g\\h"} {
		require.NoError(t, b.WriteAll(t.Context(), key, nil, nil))
	}
	for delimiter, want := range map[string][]string{
		"/":   {"a", "b/", "d/", "e\tf", "g\\h"},
		"/a":  {"a", "b/a", "b//c", "d/b", "e\tf", "g\\h"},
		"//":  {"a", "b/a", "b/ac", "b//", "d/b", "e\tf", "g\\h"},
		"\t":  {"a", "b/a", "b/ac", "b//c", "d/b", "e\t", "g\\h"},
		"\\h": {"a", "b/a", "b/ac", "b//c", "d/b", "e\tf", "g\\h"},
	} {
		t.Run(delimiter, func(t *testing.T) {
			var listed []string
			list := b.List(&blob.ListOptions{Delimiter: delimiter})
			for entry, err := list.Next(t.Context()); err != io.EOF; entry, err = list.Next(t.Context()) {
				require.NoError(t, err)
				listed = append(listed, entry.Key)
			}
			require.ElementsMatch(t, want, listed)
		})
	}
}

// A listing of a folder contains the object that marks the folder, such as "a/".
func TestListPagedFolderMark(t *testing.T) {
	b := OpenBucket(memstore.New())
	for _, key := range []string{"dir/", "dir/a", "other"} {
		require.NoError(t, b.WriteAll(t.Context(), key, nil, nil))
	}
	for prefix, want := range map[string][]string{
		"":     {"dir/ true", "other false"},
		"dir/": {"dir/ false", "dir/a false"},
	} {
		page, _, err := b.ListPage(t.Context(), blob.FirstPageToken, 10, &blob.ListOptions{
			Prefix:    prefix,
			Delimiter: "/",
		})
		require.NoError(t, err)
		var listed []string
		for _, entry := range page {
			listed = append(listed, fmt.Sprint(entry.Key, " ", entry.IsDir))
		}
		require.ElementsMatch(t, want, listed, "%q", prefix)
	}
}

// The adapter reads keys and escaped metadata that other programs, such as s3blob, have stored.
func TestObjectsOfOtherPrograms(t *testing.T) {
	bucket := memstore.New(omnidriver.WithLayer(func(next omnidriver.Driver) omnidriver.Driver { return otherProgram{next} }))
	for _, key := range []string{"dir!", "a!!b"} {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader("text"), storage.WithMetadata(map[string]string{
			"note": "100%25 of%20it",
		}))
		require.NoError(t, err)
	}
	b := OpenBucket(bucket)
	for _, key := range []string{"dir/", "a//b"} {
		t.Run(key, func(t *testing.T) {
			attrs, err := b.Attributes(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, map[string]string{"note": "100% of it"}, attrs.Metadata)

			text, err := b.ReadAll(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, "text", string(text))

			require.NoError(t, b.Copy(t.Context(), "copy", key, nil))
			require.NoError(t, b.Delete(t.Context(), key))
			require.Equal(t, gcerrors.NotFound, gcerrors.Code(b.Delete(t.Context(), key)))
		})
	}
}

// If another program has stored an object under a key that the adapter escapes, Delete also removes that object.
func TestDeleteRemovesForeignObjectToo(t *testing.T) {
	bucket := memstore.New(omnidriver.WithLayer(func(next omnidriver.Driver) omnidriver.Driver { return otherProgram{next} }))
	b := OpenBucket(bucket)
	for _, key := range []string{"dir/", "a//b", "tab\t", "zero\x00"} {
		_, err := bucket.Upload(t.Context(), strings.ReplaceAll(key, "/", "!"), strings.NewReader("old"))
		require.Equal(t, strings.HasSuffix(key, "/") || strings.Contains(key, "//"), err == nil,
			"%q: %v", key, err)
		require.NoError(t, b.WriteAll(t.Context(), key, []byte("new"), nil))
		require.NoError(t, b.Delete(t.Context(), key))
		exists, err := b.Exists(t.Context(), key)
		require.NoError(t, err)
		require.False(t, exists, "%q", key)
	}
}

// A key that looks like the escaped form of another key names its own object.
func TestEscapedKeyIsAnotherOne(t *testing.T) {
	for key, other := range map[string]string{
		"a//b":  "a/__0x2f__b",
		"/":     "__0x2f__",
		"dir/":  "dir/__0x__",
		"tab\t": "tab__0x9__",
	} {
		t.Run(key, func(t *testing.T) {
			b := OpenBucket(memstore.New())
			require.NoError(t, b.WriteAll(t.Context(), key, []byte("text"), nil))

			_, err := b.ReadAll(t.Context(), other)
			require.Equal(t, gcerrors.NotFound, gcerrors.Code(err))
			require.Equal(t, gcerrors.NotFound, gcerrors.Code(b.Copy(t.Context(), "copy", other, nil)))
			require.Equal(t, gcerrors.NotFound, gcerrors.Code(b.Delete(t.Context(), other)))

			require.NoError(t, b.WriteAll(t.Context(), other, []byte("other"), nil))
			require.NoError(t, b.Delete(t.Context(), other))
			text, err := b.ReadAll(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, "text", string(text))
		})
	}
}

// The keys "/a" and "a" name different objects, although MinIO responds to a request for "/a" with the object "a".
func TestKeyWithALeadingSlash(t *testing.T) {
	bucket, _ := openMinIO(t)
	b := OpenBucket(bucket)
	require.NoError(t, b.WriteAll(t.Context(), "a", []byte("text"), nil))

	exists, err := b.Exists(t.Context(), "/a")
	require.NoError(t, err)
	require.False(t, exists)
	require.Equal(t, gcerrors.NotFound, gcerrors.Code(b.Delete(t.Context(), "/a")))

	require.NoError(t, b.WriteAll(t.Context(), "/a", []byte("other"), nil))
	require.NoError(t, b.Delete(t.Context(), "/a"))
	text, err := b.ReadAll(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "text", string(text))
}

// otherProgram stores a slash in place of "!".
type otherProgram struct{ omnidriver.Driver }

func (d otherProgram) Put(ctx context.Context, r *omnidriver.PutRequest) (*storage.Attrs, error) {
	other := *r
	other.Key = strings.ReplaceAll(r.Key, "!", "/")
	return d.Driver.Put(ctx, &other)
}

// Closing a writer without a write stores an empty object. If the context has ended, Close stores nothing.
func TestWriters(t *testing.T) {
	bucket := memstore.New()
	b := OpenBucket(bucket)
	write := func(ctx context.Context, text string) (*blob.Writer, error) {
		w, err := b.NewWriter(ctx, "a", &blob.WriterOptions{ContentType: "text/plain"})
		require.NoError(t, err)
		_, err = io.WriteString(w, text)
		return w, err
	}
	w, err := write(t.Context(), "")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close(), "again")

	attrs, err := bucket.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.Zero(t, attrs.Size)

	ctx, cancel := context.WithCancel(t.Context())
	w, err = write(ctx, "half")
	require.NoError(t, err)
	cancel()
	require.Equal(t, gcerrors.Canceled, gcerrors.Code(w.Close()))

	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			w, err := write(t.Context(), strings.Repeat(strconv.Itoa(i), 10))
			if assert.NoError(t, err) {
				assert.NoError(t, w.Close())
			}
		})
	}
	group.Wait()
	text, err := b.ReadAll(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, strings.Repeat(string(text[:1]), 10), string(text), "one of the writers, whole")
}

// If the content does not have the MD5 of WriterOptions, Close fails and nothing is stored.
func TestContentMD5IsVerified(t *testing.T) {
	bucket := memstore.New()
	b := OpenBucket(bucket)
	w, err := b.NewWriter(t.Context(), "a", &blob.WriterOptions{ContentMD5: make([]byte, 16)})
	require.NoError(t, err)

	_, err = fmt.Fprint(w, "text")
	require.NoError(t, err)
	require.Error(t, w.Close())

	exists, err := bucket.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.False(t, exists)

	require.NoError(t, b.Close())
	require.NoError(t, storage.Close(bucket), "Close of the adapter leaves the bucket open")
}

// Writes of any BufferSize succeed, also on stores that limit part sizes, and on stores without multipart uploads
// or content types.
func TestWritersOfStoresThatTakeLess(t *testing.T) {
	content := []byte(strings.Repeat("0123456789", 2<<20))
	for name, change := range map[string]func(*omnidriver.Description){
		"as on Google": func(d *omnidriver.Description) {
			d.PartUnit = 256 << 10
		},
		"no parts": func(d *omnidriver.Description) {
			d.Features &^= storage.MultipartUploads | storage.ContentProperties
		},
	} {
		for _, size := range []int{1, 5 << 20, 5<<20 + 1, 10_000_000} {
			t.Run(name+" "+strconv.Itoa(size), func(t *testing.T) {
				layer := func(next omnidriver.Driver) omnidriver.Driver { return otherParts{next, change} }
				b := OpenBucket(memstore.New(omnidriver.WithLayer(layer)))
				require.NoError(t, b.WriteAll(t.Context(), "a", content, &blob.WriterOptions{
					BufferSize:     size,
					MaxConcurrency: 2,
				}))
				text, err := b.ReadAll(t.Context(), "a")
				require.NoError(t, err)
				require.Equal(t, content, text)
			})
		}
	}
}

// otherParts declares other parts.
type otherParts struct {
	omnidriver.Driver
	change func(*omnidriver.Description)
}

func (d otherParts) Describe() omnidriver.Description {
	desc := d.Driver.Describe()
	d.change(&desc)
	return desc
}

// Errors have the codes of gocloud.
func TestCodes(t *testing.T) {
	b := OpenBucket(memstore.New())
	_, err := b.ReadAll(t.Context(), "none")
	require.Equal(t, gcerrors.NotFound, gcerrors.Code(err))
	require.NoError(t, b.WriteAll(t.Context(), "a", nil, nil))
	err = b.WriteAll(t.Context(), "a", nil, &blob.WriterOptions{IfNotExist: true})
	require.Equal(t, gcerrors.FailedPrecondition, gcerrors.Code(err))
	_, err = b.SignedURL(t.Context(), "a", nil)
	require.Equal(t, gcerrors.Unimplemented, gcerrors.Code(err),
		"a bucket in memory without a handler signs nothing")
}

// If the bucket has no signing base URL, the error of SignedURL names WithSigningBaseURL, whatever is to be
// signed.
func TestSignedURLWithoutAHandler(t *testing.T) {
	b := OpenBucket(memstore.New())
	options := []*blob.SignedURLOptions{
		{},
		{Method: http.MethodPut},
		{Method: http.MethodPut, ContentType: "image/png"},
	}
	for _, o := range options {
		_, err := b.SignedURL(t.Context(), "a", o)
		require.ErrorContains(t, err, "WithSigningBaseURL", "%+v", o)
	}
}

// If an upload fails, the old object stays.
func TestWriterFailsLeavesTheOldObject(t *testing.T) {
	bucket := memstore.New()
	b := OpenBucket(bucket)
	require.NoError(t, b.WriteAll(t.Context(), "a", []byte("old"), nil))
	half := func() io.Reader {
		return io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF))
	}

	err := b.Upload(t.Context(), "a", half(), &blob.WriterOptions{ContentType: "text/plain"})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	sum := md5.Sum([]byte("half and whole"))
	require.Error(t, b.Upload(t.Context(), "a", strings.NewReader("half"), &blob.WriterOptions{
		ContentType: "text/plain",
		ContentMD5:  sum[:],
	}))

	text, _, err := storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.Equal(t, "old", string(text))
}

// TestUnescapeKeyKeepsForeignKeys lists keys of other programs that look like escaped ones: this
// adapter would store their originals under other keys, so nobody could open what is listed.
func TestUnescapeKeyKeepsForeignKeys(t *testing.T) {
	for _, key := range []string{"d/__0x25__", "a__0x2F__b", "a__0x02f__b", "a/__0x__b", "x__0x__"} {
		require.Equal(t, key, unescapeKey(key))
	}
}
