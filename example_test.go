package storage_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

func Example() {
	ctx := context.Background()
	bucket, err := storage.Open(ctx, "mem://pictures") // production: s3://…, gs://…, azblob://…
	if err != nil {
		panic(err)
	}
	defer storage.Close(bucket)

	attrs, err := bucket.Upload(ctx, "cats/tom.txt", strings.NewReader("a cat"))
	if err != nil {
		panic(err)
	}
	fmt.Println(attrs.Size, "bytes of", attrs.ContentType)

	data, _, err := storage.ReadAll(ctx, bucket, "cats/tom.txt")
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", data)
	// Output:
	// 5 bytes of text/plain; charset=utf-8
	// a cat
}

// The type of a function's argument says what the function may do to a bucket.
func ExampleRef() {
	greet := func(ctx context.Context, b storage.Uploader) error {
		_, err := b.Upload(ctx, "greeting", strings.NewReader("hello"))
		return err
	}
	bucket := memstore.New()
	ref := storage.Ref[storage.Uploader](bucket)
	fmt.Println(greet(context.Background(), ref))

	_, _, err := storage.ReadAll(context.Background(), ref.(storage.Downloader), "greeting")
	fmt.Println(errors.Is(err, storage.PermissionDenied))
	// Output:
	// <nil>
	// true
}

// A file's name that a user chose may contain any bytes.
func ExampleEncodeMetadataValue() {
	ctx := context.Background()
	bucket := memstore.New()
	metadata := map[string]string{"name": storage.EncodeMetadataValue(" 100%\t.txt")}
	attrs, err := bucket.Upload(ctx, "a", strings.NewReader("text"), storage.WithMetadata(metadata))
	if err != nil {
		panic(err)
	}
	fmt.Println(attrs.Metadata["name"])
	fmt.Printf("%q\n", storage.DecodeMetadataValue(attrs.Metadata["name"]))
	// Output:
	// %20100%25%09.txt
	// " 100%\t.txt"
}

func ExamplePrefixed() {
	ctx := context.Background()
	bucket := memstore.New()
	tenant := storage.Prefixed(bucket, "tenants/7/")
	attrs, err := tenant.Upload(ctx, "logo.svg", strings.NewReader("<svg/>"))
	if err != nil {
		panic(err)
	}
	fmt.Println("inside: ", attrs.Key)
	for entry, err := range bucket.List(ctx) {
		if err != nil {
			panic(err)
		}
		fmt.Println("outside:", entry.Key)
	}
	// Output:
	// inside:  logo.svg
	// outside: tenants/7/logo.svg
}

func ExampleRequire() {
	bucket, err := storage.Open(context.Background(), "mem://jobs")
	if err != nil {
		panic(err)
	}
	defer storage.Close(bucket)
	// Stop at the start if the store cannot do what the program needs later.
	if err := storage.Require(bucket, storage.ConditionalCreate|storage.SignedURLs); err != nil {
		var e *storage.Error
		errors.As(err, &e) // in main: log.Fatal(err)
		fmt.Printf("%s, %s, %v: %v\n%s\n", e.Op, e.Bucket, e.Code, e.Err, e.Hint)
	}
	// Output:
	// Require, jobs, unsupported: memory does not support SignedURLs here
	// open the bucket with WithSigningBaseURL, or signing_base_url in its address, where the handler of package serve is mounted
}

func ExampleLister_folders() {
	ctx := context.Background()
	bucket := memstore.New()
	for _, key := range []string{"docs/a.md", "docs/b.md", "readme.md", "src/main.go"} {
		if _, err := bucket.Upload(ctx, key, strings.NewReader(key)); err != nil {
			panic(err)
		}
	}
	for entry, err := range bucket.List(ctx, storage.WithDelimiter("/")) {
		if err != nil {
			panic(err)
		}
		fmt.Println(entry.Key, entry.IsPrefix)
	}
	// Output:
	// docs/ true
	// readme.md false
	// src/ true
}

// A token goes to a client and comes back with its next request.
func ExampleListPage() {
	ctx := context.Background()
	bucket := memstore.New()
	for i := range 5 {
		if _, err := bucket.Upload(ctx, "object-"+strconv.Itoa(i), strings.NewReader("")); err != nil {
			panic(err)
		}
	}
	token := ""
	for {
		page, err := storage.ListPage(ctx, bucket, token, storage.WithPageSize(2))
		if err != nil {
			panic(err)
		}
		var keys []string
		for _, entry := range page.Entries {
			keys = append(keys, entry.Key)
		}
		fmt.Println(strings.Join(keys, " "))
		token = page.Token
		if token == "" {
			break
		}
	}
	// Output:
	// object-0 object-1
	// object-2 object-3
	// object-4
}

// With IfAbsent, exactly one of several uploads to a key succeeds. So a program can claim a job by
// its key.
func ExampleIfAbsent() {
	ctx := context.Background()
	bucket := memstore.New()
	for range 2 {
		_, err := bucket.Upload(ctx, "jobs/nightly.lock", strings.NewReader("me"), storage.IfAbsent())
		switch {
		case err == nil:
			fmt.Println("mine")
		case errors.Is(err, storage.PreconditionFailed): // fs.ErrExist too
			fmt.Println("taken")
		default:
			panic(err)
		}
	}
	// Output:
	// mine
	// taken
}

// Update reads the object, calls count with its content, and writes the result. If another program has written in
// between, Update repeats all three.
func ExampleUpdate() {
	ctx := context.Background()
	bucket := memstore.New()
	count := func(old []byte, _ *storage.Attrs) ([]byte, error) {
		n, _ := strconv.Atoi(string(old)) // 0 if there is no object yet
		return strconv.AppendInt(nil, int64(n+1), 10), nil
	}
	for range 3 {
		if _, err := storage.Update(ctx, bucket, "visits", count); err != nil {
			panic(err)
		}
	}
	data, _, err := storage.ReadAll(ctx, bucket, "visits")
	fmt.Println(string(data), err)
	// Output: 3 <nil>
}

func ExampleNewWriter() {
	ctx := context.Background()
	bucket := memstore.New()
	w := storage.NewWriter(ctx, bucket, "report.csv")
	defer w.Close() // discards, unless it was committed
	fmt.Fprintln(w, "city,people")
	fmt.Fprintln(w, "Oslo,717710")
	attrs, err := w.Commit()
	if err != nil {
		panic(err)
	}
	fmt.Println(attrs.Size, attrs.ContentType)
	// Output: 24 text/csv; charset=utf-8
}

// The two buckets may be of any providers. If possible, the provider copies the object itself.
func ExampleCopy() {
	ctx := context.Background()
	laptop := memstore.New()
	production := memstore.New()
	if _, err := laptop.Upload(ctx, "a.txt", strings.NewReader("text"), storage.WithMetadata(map[string]string{"author": "ann"})); err != nil {
		panic(err)
	}
	attrs, err := storage.Copy(ctx, production, "b.txt", laptop, "a.txt", storage.WithCacheControl("no-store"))
	if err != nil {
		panic(err)
	}
	fmt.Println(attrs.Key, attrs.Metadata["author"], attrs.CacheControl)
	// Output: b.txt ann no-store
}

func ExampleVersions() {
	ctx := context.Background()
	bucket := memstore.New(storage.WithVersioning(true))
	for _, text := range []string{"first", "second"} {
		if _, err := bucket.Upload(ctx, "note", strings.NewReader(text)); err != nil {
			panic(err)
		}
	}
	for v, err := range storage.Versions(ctx, bucket) {
		if err != nil {
			panic(err)
		}
		data, _, err := storage.ReadAll(ctx, bucket, v.Key, storage.WithVersion(v.Version))
		fmt.Println(string(data), v.Current, err)
	}
	// Output:
	// second true <nil>
	// first false <nil>
}

func ExampleRemoveMatching() {
	ctx := context.Background()
	bucket := memstore.New()
	for _, key := range []string{"tmp/a", "tmp/b.keep", "tmp/c"} {
		if _, err := bucket.Upload(ctx, key, strings.NewReader("")); err != nil {
			panic(err)
		}
	}
	n, err := storage.RemoveMatching(ctx, bucket, func(e storage.ListEntry) bool {
		return !strings.HasSuffix(e.Key, ".keep")
	}, storage.WithPrefix("tmp/"))
	fmt.Println(n, err)
	// Output: 2 <nil>
}

func ExampleRemoveAll() {
	ctx := context.Background()
	bucket := memstore.New()
	n, err := storage.RemoveAll(ctx, bucket, slices.Values([]string{"not there", "nor this"}))
	fmt.Println(n, err) // both are gone, and that is what was asked for
	// Output: 2 <nil>
}

func ExampleFS() {
	ctx := context.Background()
	bucket := memstore.New()
	for _, key := range []string{"site/css/main.css", "site/index.html"} {
		if _, err := bucket.Upload(ctx, key, strings.NewReader("x")); err != nil {
			panic(err)
		}
	}
	err := fs.WalkDir(storage.FS(ctx, bucket), "site", func(path string, d fs.DirEntry, err error) error {
		fmt.Println(path, d.IsDir())
		return err
	})
	if err != nil {
		panic(err)
	}
	// Output:
	// site true
	// site/css true
	// site/css/main.css false
	// site/index.html false
}

// A hook sees every operation, and may deny it. This one denies all that changes objects, and needs no
// list of methods.
func ExampleWithHook() {
	readOnly := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Effects&(storage.EffectWrite|storage.EffectRemove) != 0 {
			return nil, nil, errors.New("this bucket is read-only")
		}
		return nil, nil, nil
	}
	bucket := memstore.New(storage.WithHook(readOnly))
	_, err := bucket.Upload(context.Background(), "k", strings.NewReader(""))
	fmt.Println(errors.Is(err, storage.PermissionDenied))
	// Output: true
}

// A noting Core prints the key of each Upload, and leaves all calls to the Core that it embeds.
type noting struct{ storage.Core }

func (n noting) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	fmt.Println("store", key)
	return n.Core.Upload(ctx, key, body, o)
}

// A Core that embeds another one can override single methods. This one prints each key that Upload stores, also if
// the upload goes through a view of the bucket.
func ExampleWrap() {
	ctx := context.Background()
	bucket, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core { return noting{c} })
	if err != nil {
		panic(err)
	}
	if _, err := storage.Prefixed(bucket, "users/1/").Upload(ctx, "photo.jpg", strings.NewReader("JPEG")); err != nil {
		panic(err)
	}
	page, err := storage.ListPage(ctx, bucket, "")
	fmt.Println(page.Entries[0].Key, err)
	// Output:
	// store users/1/photo.jpg
	// users/1/photo.jpg <nil>
}

func ExampleWithHedgedReads() {
	ctx := context.Background()
	bucket, err := storage.Open(ctx, "mem://profiles", storage.WithHedgedReads()) // production: s3://…, gs://…, azblob://…
	if err != nil {
		panic(err)
	}
	defer storage.Close(bucket)
	if _, err := bucket.Upload(ctx, "ada.json", strings.NewReader(`{"name": "Ada"}`)); err != nil {
		panic(err)
	}
	// If a cloud responds to this read later than to nearly all others, a second request is made.
	profile, _, err := storage.ReadAll(ctx, bucket, "ada.json")
	fmt.Println(string(profile), err)
	// Output: {"name": "Ada"} <nil>
}

func ExampleDownloadFile() {
	ctx := context.Background()
	bucket := memstore.New()
	if _, err := bucket.Upload(ctx, "data.bin", strings.NewReader("0123456789")); err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	attrs, err := storage.DownloadFile(ctx, bucket, "data.bin", dir+"/data.bin")
	if err != nil {
		panic(err)
	}
	info, err := os.Stat(dir + "/data.bin")
	fmt.Println(attrs.Size, info.Size(), err)
	// Output: 10 10 <nil>
}

func ExampleReadRanges() {
	ctx := context.Background()
	bucket := memstore.New()
	_, _ = bucket.Upload(ctx, "table.bin", strings.NewReader("head and some columns and foot"))
	parts, attrs, err := storage.ReadRanges(ctx, bucket, "table.bin", []storage.Range{
		{Offset: -4, Length: -1}, // the last 4 bytes
		{Offset: 0, Length: 4},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, %s of %d bytes\n", parts[0], parts[1], attrs.Size)
	// Output: foot, head of 30 bytes
}

func ExampleNewReaderAt() {
	ctx := context.Background()
	bucket := memstore.New()
	_, _ = bucket.Upload(ctx, "notes.zip", bytes.NewReader(zipped("a.txt", "b.txt")))
	r, err := storage.NewReaderAt(ctx, bucket, "notes.zip")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	archive, err := zip.NewReader(r, r.Size()) // reads the end of the archive only
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, file := range archive.File {
		fmt.Println(file.Name)
	}
	// Output:
	// a.txt
	// b.txt
}

func zipped(names ...string) []byte {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, name := range names {
		_, _ = w.Create(name)
	}
	_ = w.Close()
	return archive.Bytes()
}

// The same call resumes an interrupted upload, also in another process.
func ExampleWithResume() {
	bucket := memstore.New()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	video := strings.NewReader(strings.Repeat("frame", 20))
	upload := func(ctx context.Context, progress func(transferred, total int64)) error {
		_, err := bucket.Upload(ctx, "video.mp4", video, storage.WithResume(filepath.Join(dir, "video.upload")),
			storage.WithPartSize(10), storage.WithConcurrency(1), storage.WithProgress(progress))
		return err
	}

	ctx, cancel := context.WithCancel(context.Background())
	err = upload(ctx, func(transferred, total int64) {
		if transferred == 50 {
			cancel() // half of it is there
		}
	})
	fmt.Println(errors.Is(err, context.Canceled))

	err = upload(context.Background(), nil)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// Several processes send the parts of one object. Each process gets the token of the upload, from a database or with
// its job.
func ExampleBeginUpload() {
	ctx := context.Background()
	bucket := memstore.New()
	upload, err := storage.BeginUpload(ctx, bucket, "logs/today.txt", storage.IfAbsent())
	if err != nil {
		panic(err)
	}
	token := upload.Token()

	// Other processes can store the parts, at the same time and in any order. Every part but the last has at least
	// upload.Limits().MinSize bytes.
	for number, text := range map[int]string{2: "world", 1: "hello, "} {
		second, err := storage.ContinueUpload(ctx, bucket, token)
		if err != nil {
			panic(err)
		}
		if _, err := second.PutPart(ctx, number, strings.NewReader(text)); err != nil {
			panic(err)
		}
	}

	attrs, err := upload.Complete(ctx)
	if err != nil {
		panic(err)
	}
	fmt.Println(attrs.Key, attrs.Size, "bytes")
	// Output: logs/today.txt 12 bytes
}

// A client without credentials, such as a browser, sends the parts. The server signs one request
// for each, and judges the whole when it completes the upload.
func ExampleMultipartUpload_SignPart() {
	ctx := context.Background()
	bucket := memstore.New(storage.WithSigningBaseURL("https://example.com/files")) // answered by package serve
	upload, err := storage.BeginUpload(ctx, bucket, "video.mp4", storage.WithSize(300<<20), storage.WithUncheckedParts())
	if err != nil {
		panic(err)
	}
	signedURL, err := upload.SignPart(ctx, 1, storage.WithTTL(time.Hour))
	if err != nil {
		panic(err)
	}
	fmt.Println(signedURL) // the client gets its JSON
	_, err = upload.Complete(ctx)
	fmt.Println(errors.Is(err, storage.InvalidArgument)) // the client has sent nothing yet
	// Output:
	// PUT https://example.com/files/video.mp4?REDACTED
	// true
}

// Stores drop abandoned uploads after some time. A program can abort them earlier.
func ExampleListUploads() {
	ctx := context.Background()
	bucket := memstore.New()
	if _, err := storage.BeginUpload(ctx, bucket, "incoming/a.bin"); err != nil {
		panic(err)
	}
	for entry, err := range storage.ListUploads(ctx, bucket, storage.WithPrefix("incoming/")) {
		if err != nil {
			panic(err)
		}
		fmt.Println(entry.Key)
		if time.Since(entry.Begun) > 24*time.Hour {
			if err := storage.AbortUpload(ctx, bucket, entry); err != nil {
				panic(err)
			}
		}
	}
	// Output: incoming/a.bin
}
