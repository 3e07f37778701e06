// Package recorded reads exchanges that others have recorded with accounts of Amazon, Google and
// Microsoft, and publish inside Go modules, and those that package recording has written. Tests give
// the recorded responses to the drivers, and send the recorded requests to the servers of this
// repository.
//
// The files of others stay in the module cache, and go.sum pins their bytes. If the cache lacks a
// module, the go command downloads it.
package recorded

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/recording"
)

// A Provider is the cloud that sent the recorded responses.
type Provider string

// The providers of the recordings.
const (
	Amazon Provider = "Amazon S3"
	Google Provider = "Google Cloud Storage"
	Azure  Provider = "Azure Blob Storage"
)

// An Exchange is a recorded request and its response.
type Exchange struct {
	Provider Provider
	// Source names the file and the position in it, such as "gocloud.dev@v0.49.0/…/by_1.replay#3".
	Source   string
	Request  Request
	Response Response

	Kind        Kind
	Bucket, Key string
	// CopySource is the key of the source of a copy.
	CopySource string
	Query      url.Values
}

// A Request is what the client sent.
type Request struct {
	Method string
	URL    *url.URL
	Header http.Header
	Type   string   // Content-Type, without parameters
	Parts  [][]byte // body; a multipart body has several parts
}

// A Response is what the cloud sent.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Recorded returns the date of the response, or the zero time.
func (x *Exchange) Recorded() time.Time {
	date, _ := http.ParseTime(x.Response.Header.Get("Date"))
	return date
}

// Content returns the content of the object in an upload request, without the chunks of Amazon's
// encoding. It returns nil if there is no content, or if the chunks are malformed.
func (x *Exchange) Content() []byte {
	if len(x.Request.Parts) == 0 {
		return nil
	}
	body := x.Request.Parts[len(x.Request.Parts)-1] // a resource may come before the content

	// A body with a trailer is chunked, in the way of HTTP/1.1.
	isChunked := x.Request.Header.Get("X-Amz-Trailer") != ""
	if !isChunked {
		return body
	}

	content, err := io.ReadAll(httputil.NewChunkedReader(bufio.NewReader(bytes.NewReader(body))))
	if err != nil {
		return nil
	}
	return content
}

// Wire returns the bytes of a response in HTTP/1.1 to a request with this method.
func (r *Response) Wire(method string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.Status, http.StatusText(r.Status))
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}

	hasBody := method != http.MethodHead && r.Status != http.StatusNoContent && r.Status != http.StatusNotModified
	if hasBody && r.Header.Get("Content-Length") == "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n")
	if hasBody {
		b.Write(r.Body)
	}
	return b.Bytes()
}

// A Recording is all exchanges of one source.
type Recording struct {
	Name      string // module, such as "gocloud.dev v0.49.0"
	Exchanges []Exchange
	Binary    int // number of files with gRPC, which are not read
}

// GoCloud returns what the conformance suite of gocloud.dev exchanged with a provider.
func GoCloud(t testing.TB, p Provider) Recording {
	t.Helper()
	dirs := map[Provider]string{Amazon: "s3blob", Google: "gcsblob", Azure: "azureblob"}
	return read(t, "gocloud.dev", filepath.Join("adapters", "gocloud"), p, filepath.Join("blob", dirs[p], "testdata"))
}

// GoogleClient returns what the integration test of Google's own client exchanged with Google.
func GoogleClient(t testing.TB) Recording {
	t.Helper()
	return read(t, "cloud.google.com/go/storage", "", Google, "storage.replay")
}

// read reads the files of one module. The go.mod in dir, relative to the root of the repository,
// requires the module.
func read(t testing.TB, module, dir string, p Provider, path string) Recording {
	t.Helper()
	root, version := moduleDir(t, module, dir)
	return readFiles(t, module+" "+version, p, filepath.Join(root, path))
}

// ReadFolder reads the files with the extension .replay below a folder, such as one that "certify
// --record" has written.
func ReadFolder(t testing.TB, p Provider, dir string) Recording {
	t.Helper()
	return readFiles(t, filepath.Base(dir), p, dir)
}

// readFiles reads the files with the extension .replay below root. It only counts those with gRPC,
// which begin with RPCR.
func readFiles(t testing.TB, name string, p Provider, root string) Recording {
	t.Helper()
	r := Recording{Name: name}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() || filepath.Ext(path) != ".replay" {
			return nil
		}

		data, err := readFile(path, entry)
		if err != nil {
			return err
		}
		if bytes.HasPrefix(data, []byte("RPCR")) {
			r.Binary++
			return nil
		}

		// Messages name the file by its path below the parent of root.
		relative, err := filepath.Rel(filepath.Dir(root), path)
		if err != nil {
			return err
		}
		exchanges, err := parse(data, p, name+"/"+filepath.ToSlash(relative))
		if err != nil {
			return err
		}
		r.Exchanges = append(r.Exchanges, exchanges...)
		return nil
	}))
	return r
}

// maxFile is the largest file that is read, in bytes.
const maxFile = 64 << 20

// readFile reads a file that may come from a stranger, so it refuses a large file and one that is
// not regular.
func readFile(path string, entry fs.DirEntry) ([]byte, error) {
	info, err := entry.Info()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return os.ReadFile(path)
}

// parse returns the exchanges of a file, which is named source in messages.
func parse(data []byte, p Provider, source string) ([]Exchange, error) {
	var file recording.File
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}

	var exchanges []Exchange
	for i, entry := range file.Entries {
		address, err := url.Parse(entry.Request.URL)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		x := Exchange{
			Provider: p,
			Source:   fmt.Sprintf("%s#%d", source, i),
			Request: Request{
				Method: entry.Request.Method,
				URL:    address,
				Header: entry.Request.Header,
				Type:   entry.Request.MediaType,
				Parts:  entry.Request.BodyParts,
			},
			Response: Response{
				Status: entry.Response.StatusCode,
				Header: entry.Response.Header,
				Body:   entry.Response.Body,
			},
			Query: address.Query(),
		}
		if err := x.check(); err != nil {
			return nil, err
		}
		x.classify()
		exchanges = append(exchanges, x)
	}
	return exchanges, nil
}

// check returns an error if x is not an exchange of HTTP.
func (x *Exchange) check() error {
	if x.Request.Method == "" || x.Request.URL.Host == "" {
		return fmt.Errorf("%s: a request lacks its method or host", x.Source)
	}
	if x.Response.Status < http.StatusOK || x.Response.Status > 599 {
		return fmt.Errorf("%s: a response has status %d", x.Source, x.Response.Status)
	}
	for _, header := range []http.Header{x.Request.Header, x.Response.Header} {
		for name, values := range header {
			if len(values) == 0 || strings.ContainsAny(name+strings.Join(values, ""), "\r\n") {
				return fmt.Errorf("%s: a header is malformed", x.Source)
			}
		}
	}
	return nil
}

// moduleDir returns the folder of a module in the module cache, and the module's version. If the
// cache lacks it, the go command downloads it.
func moduleDir(t testing.TB, module, dir string) (folder, version string) {
	t.Helper()
	root := repositoryRoot(t)
	command := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
	command.Dir = filepath.Join(root, dir)
	var stdout, stderr bytes.Buffer
	command.Stdout = &stdout
	command.Stderr = &stderr
	runErr := command.Run()

	// If the download fails, the output has no folder, and may have an error.
	var found struct{ Dir, Version, Error string }
	err := json.Unmarshal(stdout.Bytes(), &found)
	isFound := err == nil && found.Dir != "" && runErr == nil
	if !isFound {
		t.Fatalf("the recordings of %s are missing: run \"go mod download %s\" in %s (%v %s %s)",
			module, module, command.Dir, runErr, found.Error, strings.TrimSpace(stderr.String()))
	}
	return found.Dir, found.Version
}

// repositoryRoot returns the folder of this repository.
func repositoryRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for root := dir; root != filepath.Dir(root); root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "adapters", "gocloud", "go.mod")); err == nil {
			return root
		}
	}
	t.Fatal("the repository is not above the working directory")
	return ""
}
