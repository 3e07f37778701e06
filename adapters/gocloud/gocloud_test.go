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
	// The suite also needs a bucket that does not exist. In memory, any bucket exists once it is
	// opened.
	stores := []struct {
		name string
		open func(t *testing.T) (b, missing storage.Bucket)
	}{
		{name: "memory", open: openMemory},
		{name: "local", open: openLocal},
		{name: "minio", open: openMinIO},
	}
	for _, tt := range stores {
		t.Run(tt.name, func(t *testing.T) {
			b, missing := tt.open(t)
			newHarness := func(context.Context, *testing.T) (drivertest.Harness, error) {
				return harness{bucket: b, missing: missing}, nil
			}
			drivertest.RunConformanceTests(t, newHarness, []drivertest.AsTest{asTest{}})
		})
	}
}

// openMemory returns a bucket in memory. The bucket missing is nil, because any bucket in memory
// exists once it is opened.
func openMemory(t *testing.T) (b, missing storage.Bucket) {
	t.Helper()
	open := func(baseURL string) (storage.Bucket, error) {
		return memstore.New(storage.WithSigningBaseURL(baseURL)), nil
	}
	return serveBucket(t, open), nil
}

// openLocal returns a bucket in a directory. The directory of the bucket missing was removed.
func openLocal(t *testing.T) (b, missing storage.Bucket) {
	t.Helper()
	dir := t.TempDir()
	missing, err := local.Open(filepath.Join(dir, "missing"), local.Config{Create: true})
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "missing")))

	open := func(baseURL string) (storage.Bucket, error) {
		config := local.Config{Create: true, NoSync: true}
		return local.Open(filepath.Join(dir, "bucket"), config, storage.WithSigningBaseURL(baseURL))
	}
	return serveBucket(t, open), missing
}

// serveBucket opens a bucket, and starts an HTTP server for its signed URLs. open gets the address of that server.
func serveBucket(t *testing.T, open func(base string) (storage.Bucket, error)) storage.Bucket {
	t.Helper()
	server, err := serve.NewServer(open)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return server.Bucket
}

// openMinIO returns a bucket on MinIO. The bucket missing does not exist.
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
		return nil, nil // the suite skips its test of a missing bucket
	}
	return &bucket{Bucket: h.missing}, nil
}

func (harness) HTTPClient() *http.Client         { return &http.Client{} }
func (harness) SupportsCopy() bool               { return true }
func (harness) SupportsNonSlashDelimiters() bool { return true }
func (harness) SkipDownloadAt() bool             { return false }
func (harness) Close()                           {}

// asTest checks that the functions As of the Go CDK give a program the types of this library. The suite calls
// BucketCheck and the other checks. It also calls each callback Before, with an As for the options of the call.
type asTest struct{}

func (asTest) Name() string { return "the library's own types" }

func (asTest) BucketCheck(b *blob.Bucket) error {
	var bucket storage.Bucket
	return checkAs(b.As(&bucket) && bucket != nil, "the storage.Bucket")
}

func (asTest) ErrorCheck(b *blob.Bucket, err error) error {
	var e *storage.Error
	return checkAs(b.ErrorAs(err, &e) && e.Code == storage.ObjectNotFound, "the *storage.Error")
}

func (asTest) BeforeRead(as func(any) bool) error {
	var opts *[]storage.DownloadOption
	return checkAs(as(&opts), "the options of a download")
}

// BeforeWrite adds an option, whose effect AttributesCheck sees.
func (asTest) BeforeWrite(as func(any) bool) error {
	var opts *[]storage.UploadOption
	if !as(&opts) {
		return checkAs(false, "the options of an upload")
	}
	*opts = append(*opts, storage.WithCacheControl("max-age=7"))
	return nil
}

func (asTest) BeforeCopy(as func(any) bool) error {
	var opts *[]storage.CopyOption
	return checkAs(as(&opts), "the options of a copy")
}

func (asTest) BeforeDelete(as func(any) bool) error {
	var opts *[]storage.RemoveOption
	return checkAs(as(&opts), "the options of a removal")
}

func (asTest) BeforeList(as func(any) bool) error {
	var opts *[]storage.ListOption
	return checkAs(as(&opts), "the options of a listing")
}

func (asTest) BeforeSign(as func(any) bool) error {
	var download *[]storage.SignedDownloadOption
	var upload *[]storage.SignedUploadOption
	return checkAs(as(&download) || as(&upload), "the options of a signature")
}

func (asTest) AttributesCheck(a *blob.Attributes) error {
	var attrs *storage.Attrs
	return checkAs(a.As(&attrs) && attrs.Revision != "" && a.CacheControl == "max-age=7",
		"the Attrs, with the option of BeforeWrite")
}

func (asTest) ReaderCheck(r *blob.Reader) error {
	var attrs *storage.Attrs
	return checkAs(r.As(&attrs) && attrs.Size == r.Size(), "the reader's Attrs")
}

func (asTest) ListObjectCheck(o *blob.ListObject) error {
	var entry storage.ListEntry
	return checkAs(o.As(&entry) && entry.IsPrefix == o.IsDir, "the ListEntry")
}

// checkAs returns nil if ok is true, and otherwise an error that names what As should give.
func checkAs(ok bool, wanted string) error {
	if ok {
		return nil
	}
	return errors.New("As does not give " + wanted)
}

// As gives the SDK's client for a bucket on S3, an *os.Root for one in a directory, and neither for a prefix or memory.
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

	tests := []struct {
		name       string
		bucket     storage.Bucket
		wantRoot   bool
		wantClient bool
	}{
		{name: "a directory", bucket: directory, wantRoot: true},
		{name: "S3", bucket: onS3, wantClient: true},
		// The client could reach all keys, and not only those with the prefix.
		{name: "a prefix", bucket: storage.Prefixed(onS3, "2024/")},
		{name: "memory", bucket: memstore.New()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := OpenBucket(tt.bucket)
			var root *os.Root
			require.Equal(t, tt.wantRoot, b.As(&root))
			require.Equal(t, tt.wantRoot, root != nil)

			var client *awss3.Client
			require.Equal(t, tt.wantClient, b.As(&client))
			require.Equal(t, tt.wantClient, client != nil)

			var number int
			require.False(t, b.As(&number))
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

	var apiErr smithy.APIError
	require.True(t, b.ErrorAs(err, &apiErr))
	require.Equal(t, "NoSuchKey", apiErr.ErrorCode())
	var storageErr *storage.Error
	require.True(t, b.ErrorAs(err, &storageErr))

	// These variables are not pointers to types of errors.
	var number int
	require.False(t, b.ErrorAs(err, &number))
	var text *strings.Builder
	require.False(t, b.ErrorAs(err, &text))
}

// blob.OpenBucket opens a bucket by an address with the scheme omnibucket.
func TestOpenByAddress(t *testing.T) {
	tests := []struct {
		name    string
		address string
	}{
		{name: "memory", address: "omnibucket://mem/gocloud-address"},
		{name: "a directory", address: "omnibucket://file/" + filepath.ToSlash(t.TempDir()) + "?sync=false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := blob.OpenBucket(t.Context(), tt.address)
			require.NoError(t, err)
			require.NoError(t, b.WriteAll(t.Context(), "a/b", []byte("text"), nil))
			got, err := b.ReadAll(t.Context(), "a/b")
			require.NoError(t, err)
			require.Equal(t, "text", string(got))
			require.NoError(t, b.Close())
		})
	}
}

// blob.OpenBucket refuses an address without a bucket, or of an unknown provider.
func TestOpenByInvalidAddress(t *testing.T) {
	for _, address := range []string{"omnibucket://", "omnibucket:mem", "omnibucket://nosuch/bucket"} {
		_, err := blob.OpenBucket(t.Context(), address)
		require.Error(t, err, address)
	}
}

// A key is escaped only if the library does not permit it or if it looks like an escaped one.
func TestEscapedKeys(t *testing.T) {
	tests := []struct{ key, escaped string }{
		{key: "photos/1.jpg", escaped: "photos/1.jpg"},
		{key: "a//b", escaped: "a/__0x2f__b"},
		{key: "dir/", escaped: "dir/__0x__"},
		{key: "/a", escaped: "__0x2f__a"},
		{key: "../a", escaped: "..__0x2f__a"},
		{key: "a.", escaped: "a.__0x__"},
		{key: "dir//", escaped: "dir/__0x2f__"},
		{key: "tab\tand\\", escaped: "tab__0x9__and__0x5c__"},
		{key: "☺/größe", escaped: "☺/größe"},
		{key: "a__0x2f__b", escaped: "a__0x5f___0x2f__b"},
		{key: "__0x2f_\t", escaped: "__0x5f___0x2f___0x9__"},
		{key: "a\uFFFE\uFFFF", escaped: "a__0xfffe____0xffff__"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.escaped, escapeKey(tt.key))
		require.Equal(t, tt.key, unescapeKey(tt.escaped))
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
		"a", "a.", "a..", "a./b", "a/", "a/.", "a//", "a//b", "a/b", "a/b/", "a\\b", "a\tb",
		"/", "//", "/a", ".", "_", "__0x__",
		// These keys look like escaped ones, or like the beginning of one.
		"a_b", "a__0x", "a__0x2f__b", "a__b",
	}
	b := OpenBucket(memstore.New())
	for _, key := range keys {
		require.NoError(t, b.WriteAll(t.Context(), key, []byte(key), nil), key)
	}
	prefixes := map[string]bool{"": true}
	for _, key := range keys {
		// Each beginning of a key is a prefix.
		for end := range key {
			prefixes[key[:end+1]] = true
		}
	}

	for prefix := range prefixes {
		var want []string
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		got := listKeys(t, b, &blob.ListOptions{Prefix: prefix})
		require.ElementsMatch(t, want, got, "%q", prefix)
	}
}

// The delimiter of a listing may have several characters, begin with a slash, or be escaped in keys.
func TestDelimitersOfSeveralCharacters(t *testing.T) {
	b := OpenBucket(memstore.New())
	for _, key := range []string{"a", "b/a", "b/ac", "b//c", "d/b", "e\tf", "g\\h"} {
		require.NoError(t, b.WriteAll(t.Context(), key, nil, nil))
	}

	tests := []struct {
		name      string
		delimiter string
		want      []string
	}{
		{name: "slash", delimiter: "/", want: []string{"a", "b/", "d/", "e\tf", "g\\h"}},
		{name: "slash and letter", delimiter: "/a", want: []string{"a", "b/a", "b//c", "d/b", "e\tf", "g\\h"}},
		{name: "two slashes", delimiter: "//", want: []string{"a", "b/a", "b/ac", "b//", "d/b", "e\tf", "g\\h"}},
		{name: "tab", delimiter: "\t", want: []string{"a", "b/a", "b/ac", "b//c", "d/b", "e\t", "g\\h"}},
		{
			name:      "backslash and letter",
			delimiter: "\\h",
			want:      []string{"a", "b/a", "b/ac", "b//c", "d/b", "e\tf", "g\\h"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := listKeys(t, b, &blob.ListOptions{Delimiter: tt.delimiter})
			require.ElementsMatch(t, tt.want, got)
		})
	}
}

// listKeys returns the keys and common prefixes of a listing.
func listKeys(t *testing.T, b *blob.Bucket, opts *blob.ListOptions) (keys []string) {
	t.Helper()
	list := b.List(opts)
	for {
		entry, err := list.Next(t.Context())
		if err == io.EOF {
			return keys
		}
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
}

// A listing of a folder contains its marker, an empty object such as "dir/". A listing of the folder above shows it as
// a directory.
func TestListPagedFolderMark(t *testing.T) {
	b := OpenBucket(memstore.New())
	for _, key := range []string{"dir/", "dir/a", "other"} {
		require.NoError(t, b.WriteAll(t.Context(), key, nil, nil))
	}

	type entry struct {
		key   string
		isDir bool
	}
	tests := []struct {
		prefix string
		want   []entry
	}{
		{prefix: "", want: []entry{{key: "dir/", isDir: true}, {key: "other"}}},
		{prefix: "dir/", want: []entry{{key: "dir/"}, {key: "dir/a"}}},
	}
	for _, tt := range tests {
		page, _, err := b.ListPage(t.Context(), blob.FirstPageToken, 10, &blob.ListOptions{
			Prefix:    tt.prefix,
			Delimiter: "/",
		})
		require.NoError(t, err)
		var got []entry
		for _, object := range page {
			got = append(got, entry{key: object.Key, isDir: object.IsDir})
		}
		require.ElementsMatch(t, tt.want, got, "%q", tt.prefix)
	}
}

// The adapter reads keys and escaped metadata that other programs, such as s3blob, have stored.
func TestObjectsOfOtherPrograms(t *testing.T) {
	// The library writes no keys such as "dir/" and "a//b". This bucket stores each "!" in a key as a slash.
	bucket := newOtherProgramBucket()
	for _, key := range []string{"dir!", "a!!b"} {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader("text"),
			storage.WithMetadata(map[string]string{"note": "100%25 of%20it"}))
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

			// The second Delete finds nothing.
			err = b.Delete(t.Context(), key)
			require.Equal(t, gcerrors.NotFound, gcerrors.Code(err))
		})
	}
}

// Delete also removes the object that another program has stored under a key without the adapter's escapes.
func TestDeleteRemovesForeignObjectToo(t *testing.T) {
	tests := []struct {
		name       string
		key        string
		hasForeign bool // whether another program can store the key without escapes
	}{
		{name: "slash at the end", key: "dir/", hasForeign: true},
		{name: "two slashes", key: "a//b", hasForeign: true},
		{name: "tab", key: "tab\t", hasForeign: false},
		{name: "zero byte", key: "zero\x00", hasForeign: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := newOtherProgramBucket()
			b := OpenBucket(bucket)

			// The other program stores its object. The bucket stores each "!" as a slash, so the
			// object has the key tt.key.
			storedAsKey := strings.ReplaceAll(tt.key, "/", "!")
			_, err := bucket.Upload(t.Context(), storedAsKey, strings.NewReader("old"))
			if tt.hasForeign {
				require.NoError(t, err)
			} else {
				require.Error(t, err)
			}

			// The adapter stores its own object, whose key has escapes.
			require.NoError(t, b.WriteAll(t.Context(), tt.key, []byte("new"), nil))

			require.NoError(t, b.Delete(t.Context(), tt.key))
			exists, err := b.Exists(t.Context(), tt.key)
			require.NoError(t, err)
			require.False(t, exists)
		})
	}
}

// A key that looks like the escaped form of another key names an object of its own.
func TestEscapedKeyIsAnotherOne(t *testing.T) {
	tests := []struct{ key, escapedForm string }{
		{key: "a//b", escapedForm: "a/__0x2f__b"},
		{key: "/", escapedForm: "__0x2f__"},
		{key: "dir/", escapedForm: "dir/__0x__"},
		{key: "tab\t", escapedForm: "tab__0x9__"},
	}
	for _, tt := range tests {
		t.Run(tt.key, func(t *testing.T) {
			b := OpenBucket(memstore.New())
			require.NoError(t, b.WriteAll(t.Context(), tt.key, []byte("text"), nil))

			// There is no object with the other key.
			_, err := b.ReadAll(t.Context(), tt.escapedForm)
			require.Equal(t, gcerrors.NotFound, gcerrors.Code(err))
			err = b.Copy(t.Context(), "copy", tt.escapedForm, nil)
			require.Equal(t, gcerrors.NotFound, gcerrors.Code(err))
			err = b.Delete(t.Context(), tt.escapedForm)
			require.Equal(t, gcerrors.NotFound, gcerrors.Code(err))

			// An object with the other key does not touch the first one.
			require.NoError(t, b.WriteAll(t.Context(), tt.escapedForm, []byte("other"), nil))
			require.NoError(t, b.Delete(t.Context(), tt.escapedForm))
			text, err := b.ReadAll(t.Context(), tt.key)
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

	// The object "a" is not found as "/a".
	exists, err := b.Exists(t.Context(), "/a")
	require.NoError(t, err)
	require.False(t, exists)
	require.Equal(t, gcerrors.NotFound, gcerrors.Code(b.Delete(t.Context(), "/a")))

	// An object "/a" can be stored and removed, and "a" stays as it was.
	require.NoError(t, b.WriteAll(t.Context(), "/a", []byte("other"), nil))
	require.NoError(t, b.Delete(t.Context(), "/a"))
	text, err := b.ReadAll(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, "text", string(text))
}

// otherProgram is a driver that stores keys that this library refuses, as other programs may. Its keys have a slash in
// place of "!", so that "dir!" becomes "dir/".
type otherProgram struct{ omnidriver.Driver }

// newOtherProgramBucket returns a bucket in which Upload stores objects as another program would, as documented at
// otherProgram.
func newOtherProgramBucket() storage.Bucket {
	return memstore.New(omnidriver.WithLayer(func(next omnidriver.Driver) omnidriver.Driver {
		return otherProgram{next}
	}))
}

func (d otherProgram) Put(ctx context.Context, r *omnidriver.PutRequest) (*storage.Attrs, error) {
	changed := *r
	changed.Key = strings.ReplaceAll(r.Key, "!", "/")
	return d.Driver.Put(ctx, &changed)
}

// A writer without content stores an empty object.
func TestWriters(t *testing.T) {
	bucket := memstore.New()
	b := OpenBucket(bucket)
	w, err := b.NewWriter(t.Context(), "a", &blob.WriterOptions{ContentType: "text/plain"})
	require.NoError(t, err)
	_, err = io.WriteString(w, "")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close(), "must permit a second Close")

	attrs, err := bucket.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.Zero(t, attrs.Size)
}

// If the context of a writer is canceled, Close fails and stores nothing.
func TestWriterCanceledStoresNothing(t *testing.T) {
	bucket := memstore.New()
	ctx, cancel := context.WithCancel(t.Context())
	w, err := OpenBucket(bucket).NewWriter(ctx, "a", &blob.WriterOptions{ContentType: "text/plain"})
	require.NoError(t, err)
	_, err = io.WriteString(w, "half")
	require.NoError(t, err)

	cancel()
	require.Equal(t, gcerrors.Canceled, gcerrors.Code(w.Close()))
	exists, err := bucket.Exists(t.Context(), "a")
	require.NoError(t, err)
	require.False(t, exists)
}

// If several writers store an object at the same time, it has the content of exactly one of them.
func TestConcurrentWriters(t *testing.T) {
	const length = 10 // of the content
	const writers = 8
	b := OpenBucket(memstore.New())
	var group sync.WaitGroup
	for i := range writers {
		// Each writer repeats a digit of its own.
		digits := strings.Repeat(strconv.Itoa(i), length)
		group.Go(func() {
			opts := &blob.WriterOptions{ContentType: "text/plain"}
			w, err := b.NewWriter(t.Context(), "a", opts)
			if assert.NoError(t, err) {
				_, err = io.WriteString(w, digits)
				assert.NoError(t, err)
				assert.NoError(t, w.Close())
			}
		})
	}
	group.Wait()

	text, err := b.ReadAll(t.Context(), "a")
	require.NoError(t, err)
	oneDigit := string(text[:1])
	require.Equal(t, strings.Repeat(oneDigit, length), string(text))
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
}

// Close of the adapter leaves the bucket open.
func TestCloseLeavesTheBucketOpen(t *testing.T) {
	bucket := memstore.New()
	require.NoError(t, OpenBucket(bucket).Close())
	require.NoError(t, storage.Close(bucket))
}

// Writes of any BufferSize succeed, even if the store limits the sizes of parts, or has neither multipart uploads nor
// content types.
func TestWritersOfStoresThatTakeLess(t *testing.T) {
	const minPartSize = 5 << 20
	stores := []struct {
		name   string
		change func(*omnidriver.Description)
	}{
		{
			name: "as on Google",
			change: func(d *omnidriver.Description) {
				d.PartUnit = 256 << 10
			},
		},
		{
			name: "no parts",
			change: func(d *omnidriver.Description) {
				d.Features &^= storage.MultipartUploads | storage.ContentProperties
			},
		},
	}
	contentOfSeveralParts := []byte(strings.Repeat("0123456789", 2<<20)) // 20 MiB

	for _, store := range stores {
		// The last two sizes are not multiples of PartUnit.
		for _, bufferSize := range []int{1, minPartSize, minPartSize + 1, 10_000_000} {
			t.Run(store.name+" "+strconv.Itoa(bufferSize), func(t *testing.T) {
				// The layer changes how the store in memory describes itself.
				layer := func(next omnidriver.Driver) omnidriver.Driver {
					return otherParts{Driver: next, change: store.change}
				}
				b := OpenBucket(memstore.New(omnidriver.WithLayer(layer)))

				require.NoError(t, b.WriteAll(t.Context(), "a", contentOfSeveralParts, &blob.WriterOptions{
					BufferSize:     bufferSize,
					MaxConcurrency: 2,
				}))
				text, err := b.ReadAll(t.Context(), "a")
				require.NoError(t, err)
				require.Equal(t, contentOfSeveralParts, text)
			})
		}
	}
}

// otherParts is a driver that describes itself with changes, such as other limits for parts.
type otherParts struct {
	omnidriver.Driver
	change func(*omnidriver.Description)
}

func (d otherParts) Describe() omnidriver.Description {
	desc := d.Driver.Describe()
	d.change(&desc)
	return desc
}

// Errors have the codes of the Go CDK.
func TestCodes(t *testing.T) {
	// This bucket has no signing base URL.
	b := OpenBucket(memstore.New())
	require.NoError(t, b.WriteAll(t.Context(), "a", nil, nil))

	tests := []struct {
		name string
		call func() error
		want gcerrors.ErrorCode
	}{
		{
			name: "missing object",
			call: func() error {
				_, err := b.ReadAll(t.Context(), "none")
				return err
			},
			want: gcerrors.NotFound,
		},
		{
			name: "condition that is not met",
			call: func() error {
				return b.WriteAll(t.Context(), "a", nil, &blob.WriterOptions{IfNotExist: true})
			},
			want: gcerrors.FailedPrecondition,
		},
		{
			name: "bucket that cannot sign",
			call: func() error {
				_, err := b.SignedURL(t.Context(), "a", nil)
				return err
			},
			want: gcerrors.Unimplemented,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, gcerrors.Code(tt.call()))
		})
	}
}

// If the bucket has no signing base URL, the error of each SignedURL names WithSigningBaseURL.
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
	otherSum := md5.Sum([]byte("other content"))
	tests := []struct {
		name    string
		body    io.Reader
		opts    *blob.WriterOptions
		wantErr error // nil for any error
	}{
		{
			name:    "body ends early",
			body:    io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)),
			opts:    &blob.WriterOptions{ContentType: "text/plain"},
			wantErr: io.ErrUnexpectedEOF,
		},
		{
			name: "content has another MD5",
			body: strings.NewReader("half"),
			opts: &blob.WriterOptions{ContentType: "text/plain", ContentMD5: otherSum[:]},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			b := OpenBucket(bucket)
			require.NoError(t, b.WriteAll(t.Context(), "a", []byte("old"), nil))

			err := b.Upload(t.Context(), "a", tt.body, tt.opts)
			require.Error(t, err)
			if tt.wantErr != nil {
				require.ErrorIs(t, err, tt.wantErr)
			}

			text, _, err := storage.ReadAll(t.Context(), bucket, "a")
			require.NoError(t, err)
			require.Equal(t, "old", string(text))
		})
	}
}

// These keys of other programs look like escaped keys. If UnescapeKey changed one of them, this adapter would use
// another key to open the object, and nobody could open what is listed.
func TestUnescapeKeyKeepsForeignKeys(t *testing.T) {
	for _, key := range []string{"d/__0x25__", "a__0x2F__b", "a__0x02f__b", "a/__0x__b", "x__0x__"} {
		require.Equal(t, key, unescapeKey(key))
	}
}
