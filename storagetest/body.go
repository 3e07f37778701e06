package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var bodyCases = []Case{
	{
		Name:        "every kind of reader is read correctly",
		Rule:        "W1",
		Explanation: "one byte at a time, half a buffer, or data together with EOF: the object is what the reader delivered",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				text := body(min(path.size, 10_000), 1)
				for name, wrap := range map[string]func(io.Reader) io.Reader{
					"OneByteReader": iotest.OneByteReader,
					"HalfReader":    iotest.HalfReader,
					"DataErrReader": iotest.DataErrReader,
					"MultiReader":   func(r io.Reader) io.Reader { return io.MultiReader(strings.NewReader(""), r, strings.NewReader("")) },
					"LimitReader":   func(r io.Reader) io.Reader { return io.LimitReader(r, 1<<40) },
					"TeeReader":     func(r io.Reader) io.Reader { return io.TeeReader(r, io.Discard) },
					"Buffer":        func(io.Reader) io.Reader { return bytes.NewBufferString(text) },
				} {
					_, err := b.Upload(t.Context(), name, wrap(strings.NewReader(text)))
					require.NoError(t, err, "%s in %s", name, path.name)
					t.requireContent(b, name, text)
				}
			}
		},
	},
	{
		Name:        "readers that fail are BodyFailed",
		Rule:        "W11",
		Explanation: "an error of the caller's reader is not blamed on the store, and can be reached by errors.Is",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				text := body(path.size, 1)
				for name, source := range map[string]io.Reader{
					"ErrReader":  iotest.ErrReader(errBoom),
					"midway":     failing(text[:path.size-1], errBoom),
					"at the end": failing(text, errBoom),
					// An error that only wraps io.EOF is not the end of the body.
					"nearly EOF":    failing(text, fmt.Errorf("the form broke off: %w", errors.Join(io.EOF, errBoom))),
					"TimeoutReader": iotest.TimeoutReader(iotest.HalfReader(strings.NewReader(text))),
				} {
					_, err := b.Upload(t.Context(), "a", source)
					require.Equal(t, storage.BodyFailed, storage.CodeOf(err), "%s in %s: %v", name, path.name, err)
					want := errBoom
					if name == "TimeoutReader" {
						want = iotest.ErrTimeout
					}
					require.ErrorIs(t, err, want, "%s in %s", name, path.name)
					t.requireMissing(b, "a")
				}
			}
		},
	},
	{
		Name:        "a body's error code is not the upload's",
		Rule:        "W11",
		Explanation: "if a failed download is used as a body, its Code is not taken for a failed condition, and errors.As reaches it",
		run: func(t *T) {
			b := t.open()
			inner := &storage.Error{
				Code: storage.PreconditionFailed,
				Op:   "Download",
				Err:  &fs.PathError{Op: "read", Path: "x", Err: fs.ErrExist},
			}
			_, err := b.Upload(t.Context(), "a", failing("head", inner))
			t.requireNothingDone(err, storage.BodyFailed)
			for _, code := range []error{storage.PreconditionFailed, storage.ObjectNotFound, fs.ErrExist, fs.ErrNotExist} {
				require.NotErrorIs(t, err, code)
			}
			var path *fs.PathError
			require.True(t, errors.As(err, &path), "errors.As must reach the body's error")
			require.Equal(t, "x", path.Path)
		},
	},
	{
		Name:        "a panic of the body reaches the caller",
		Rule:        "W1",
		Explanation: "the caller can recover from the panic, whichever goroutine reads the body; nothing is stored or left, and the next upload works",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open(storage.WithBufferLimit(&storage.BufferLimit{Max: 1 << 20}))
				text := body(path.size, 1)
				for name, source := range map[string]io.Reader{
					"in place": panickingAt{strings.NewReader(text)},
					"a stream": io.MultiReader(strings.NewReader(text), panickingReader{}),
				} {
					require.PanicsWithValue(t, errBoom, func() { _, _ = b.Upload(t.Context(), "a", source) }, "%s, %s",
						name, path.name)
					t.requireMissing(b, "a")
					require.Zero(t, t.countPendingUploads(), "%s, %s", name, path.name)
				}
				progress := storage.WithProgress(func(int64, int64) {
					panic(errBoom)
				})
				require.PanicsWithValue(
					t, errBoom, func() { _, _ = b.Upload(t.Context(), "a", strings.NewReader(text), progress) },
					path.name,
				)
				t.requireMissing(b, "a")
				t.put(b, "a", text)
				t.requireContent(b, "a", text)
			}
		},
	},
	{
		Name:        "a body that makes no progress is BodyFailed",
		Rule:        "W11",
		Explanation: "a reader that always returns 0, nil does not hang the upload",
		run: func(t *T) {
			b := t.open()
			_, err := b.Upload(t.Context(), "a", io.MultiReader(strings.NewReader("head"), idleReader{}))
			t.requireNothingDone(err, storage.BodyFailed)
			require.ErrorIs(t, err, io.ErrNoProgress)
			t.requireMissing(b, "a")
		},
	},
	{
		Name:        "a body that pauses is read to its end",
		Rule:        "W11",
		Explanation: "a reader may return 0, nil now and then",
		run: func(t *T) {
			b := t.open()
			_, err := b.Upload(t.Context(), "a", &pausingReader{r: strings.NewReader("some text")})
			require.NoError(t, err)
			t.requireContent(b, "a", "some text")
		},
	},
	{
		Name:        "an impossible count is BodyFailed",
		Rule:        "W11",
		Explanation: "a reader that returns more than it was asked for does not crash the upload",
		run: func(t *T) {
			b := t.open()
			_, err := b.Upload(t.Context(), "a", lyingReader{})
			t.requireNothingDone(err, storage.BodyFailed)
			t.requireMissing(b, "a")
		},
	},
	{
		Name:        "a body is read from its current position",
		Rule:        "W2",
		Explanation: "bytes that were read earlier are neither uploaded nor counted in the size",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				text := body(path.size+10, 1)
				for name, source := range map[string]io.Reader{
					"strings.Reader": strings.NewReader(text),
					"bytes.Reader":   bytes.NewReader([]byte(text)),
					"SectionReader":  io.NewSectionReader(strings.NewReader(text), 0, path.size+10),
					"LimitedReader":  io.LimitReader(strings.NewReader(text), path.size+10),
					"Buffer":         bytes.NewBufferString(text),
					"File":           tempFile(t, text),
				} {
					_, err := io.ReadFull(source, make([]byte, 10))
					require.NoError(t, err)
					attrs, err := b.Upload(t.Context(), name, source)
					require.NoError(t, err, "%s in %s", name, path.name)
					require.Equal(t, path.size, attrs.Size, "%s in %s", name, path.name)
					t.requireContent(b, name, text[10:])
				}
			}
		},
	},
	{
		Name:        "an overridden Read is used",
		Rule:        "W2",
		Explanation: "if a struct embeds *os.File and has its own Read, the upload calls that Read",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				text := body(path.size, 1)
				_, err := b.Upload(
					t.Context(), "a",
					&countingFile{File: tempFile(t, text), r: strings.NewReader(strings.Repeat("x", int(path.size)))},
				)
				require.NoError(t, err)
				t.requireContent(b, "a", strings.Repeat("x", int(path.size)))
			}
		},
	},
	{
		Name:        "pipes and files without a size are streams",
		Rule:        "W2",
		Explanation: "a file whose size is not reliable is read by Read until its end",
		run: func(t *T) {
			b := t.open()
			r, w, err := os.Pipe()
			require.NoError(t, err)
			go func() {
				_, _ = io.WriteString(w, "through a pipe")
				_ = w.Close()
			}()
			_, err = b.Upload(t.Context(), "a", r)
			require.NoError(t, err)
			require.NoError(t, r.Close())
			t.requireContent(b, "a", "through a pipe")
		},
	},
	{
		Name:        "UploadFile and DownloadFile move files",
		Rule:        "W1",
		Explanation: "files are uploaded and downloaded whole, and a failed download keeps the existing file",
		run: func(t *T) {
			for _, path := range t.uploadPaths() {
				b := path.open()
				text := body(path.size, 1)
				f := tempFile(t, text)
				attrs, err := storage.UploadFile(t.Context(), b, "a", f.Name())
				require.NoError(t, err)
				require.Equal(t, path.size, attrs.Size)
				to := filepath.Join(t.TempDir(), "to")
				require.NoError(t, os.WriteFile(to, []byte("old"), 0o600))
				_, err = storage.DownloadFile(t.Context(), b, "missing", to)
				t.requireCode(err, storage.ObjectNotFound)
				require.Equal(t, "old", readFile(t, to))
				attrs, err = storage.DownloadFile(t.Context(), b, "a", to)
				require.NoError(t, err)
				require.Equal(t, path.size, attrs.Size)
				requireSame(t, text, readFile(t, to))
				leftovers, err := os.ReadDir(filepath.Dir(to))
				require.NoError(t, err)
				require.Len(t, leftovers, 1, "there must be no temporary file")
			}
		},
	},
	{
		Name:        "a downloaded file replaces the existing file",
		Rule:        "W1",
		Explanation: "the file's mode is kept, whatever the umask; a symbolic link is replaced, and its target stays as it is",
		run: func(t *T) {
			b := t.open()
			t.put(b, "a", "new")
			dir := t.TempDir()
			path := filepath.Join(dir, "to")
			link := filepath.Join(dir, "link")
			require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
			for _, mode := range []os.FileMode{0o666, 0o777, 0o640, 0o600} {
				require.NoError(t, os.Chmod(path, mode)) // Windows keeps only one bit of the mode
				before, err := os.Stat(path)
				require.NoError(t, err)
				_, err = storage.DownloadFile(t.Context(), b, "a", path)
				require.NoError(t, err)
				after, err := os.Stat(path)
				require.NoError(t, err)
				require.Equal(t, before.Mode(), after.Mode())
			}
			require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
			if err := os.Symlink(path, link); err != nil {
				return // on Windows, few users may create links
			}
			_, err := storage.DownloadFile(t.Context(), b, "a", link)
			require.NoError(t, err)
			require.Equal(t, "new", readFile(t, link))
			require.Equal(t, "old", readFile(t, path))
			info, err := os.Lstat(link)
			require.NoError(t, err)
			require.True(t, info.Mode().IsRegular())
		},
	},
	{
		Name:        "a missing file is an error before any request",
		Rule:        "W1",
		Explanation: "UploadFile of a missing file or a directory stores nothing",
		run: func(t *T) {
			b := t.open()
			t.requireNoRequests(func() {
				_, err := storage.UploadFile(t.Context(), b, "a", filepath.Join(t.TempDir(), "missing"))
				require.Error(t, err)
				require.NotErrorIs(t, err, storage.ObjectNotFound)
				_, err = storage.UploadFile(t.Context(), b, "a", t.TempDir())
				require.Error(t, err)
			})
			require.Empty(t, t.keys(b))
		},
	},
	{
		Name:        "progress is reported",
		Rule:        "W12",
		Explanation: "it never decreases and ends at the full size, for uploads and downloads",
		run:         progress,
	},
}

type idleReader struct{}

func (idleReader) Read([]byte) (int, error) { return 0, nil }

type lyingReader struct{}

func (lyingReader) Read(p []byte) (int, error) { return len(p) + 1, nil }

type pausingReader struct {
	r     io.Reader
	calls int
}

// Read returns up to two bytes in each third call, and none in the calls between.
func (r *pausingReader) Read(p []byte) (int, error) {
	r.calls++
	isPause := r.calls%3 != 0
	if isPause {
		return 0, nil
	}

	const maxRead = 2
	return r.r.Read(p[:min(len(p), maxRead)])
}

// A countingFile is a file with an own Read method. The library must not bypass that method by
// reading the file itself.
type countingFile struct {
	*os.File
	r io.Reader
}

func (f *countingFile) Read(p []byte) (int, error) { return f.r.Read(p) }

// tempFile creates a file that contains text, and opens it for reading.
func tempFile(t *T, text string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// readFile returns the content of a file.
func readFile(t *T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(data)
}

// progress checks the numbers that WithProgress reports for uploads and downloads.
func progress(t *T) {
	for _, path := range t.uploadPaths() {
		b := path.open()
		text := body(path.size, 1)

		recorder := &progressRecorder{t: t, name: "upload", total: path.size}
		_, err := b.Upload(t.Context(), "a", strings.NewReader(text), storage.WithProgress(recorder.record))
		require.NoError(t, err)
		recorder.requireComplete()

		recorder = &progressRecorder{t: t, name: "upload of a stream", total: path.size}
		_, err = b.Upload(t.Context(), "a", stream(text), storage.WithProgress(recorder.record))
		require.NoError(t, err)
		recorder.requireComplete()

		recorder = &progressRecorder{t: t, name: "download", total: path.size}
		requireSame(t, text, t.get(b, "a", storage.WithProgress(recorder.record)))
		recorder.requireComplete()
	}
}

// A progressRecorder checks the progress of one transfer.
type progressRecorder struct {
	t     *T
	name  string // name of the transfer in messages
	total int64  // length of the object, in bytes
	done  int64  // bytes that the last call reported
	calls int
}

// record is the function that a case passes to WithProgress. The case fails if done decreases, or if size
// is neither the expected total nor -1, which means that it is not known yet.
func (r *progressRecorder) record(done, size int64) {
	r.calls++
	if done < r.done {
		r.t.Errorf("%s: %d after %d", r.name, done, r.done)
	}
	if size != r.total && size != -1 {
		r.t.Errorf("%s: of %d, not %d", r.name, size, r.total)
	}
	r.done = done
}

// requireComplete requires that the last call reported the full size.
func (r *progressRecorder) requireComplete() {
	r.t.Helper()
	require.Positive(r.t, r.calls, r.name)
	require.Equal(r.t, r.total, r.done, r.name)
}

// A panickingAt is a body that is read with ReadAt. Its ReadAt panics when it reaches the last
// byte.
type panickingAt struct{ *strings.Reader }

// ReadAt panics if it would return the last byte.
func (r panickingAt) ReadAt(p []byte, off int64) (int, error) {
	reachesEnd := off+int64(len(p)) >= r.Size()
	if reachesEnd {
		panic(errBoom)
	}
	return r.Reader.ReadAt(p, off)
}

type panickingReader struct{}

func (panickingReader) Read([]byte) (int, error) { panic(errBoom) }

// A failedUpload describes one way in which an upload can fail.
type failedUpload struct {
	ctx   context.Context
	body  io.Reader
	opts  []storage.UploadOption
	needs storage.Features
	code  storage.Code
}

// failedUploads returns uploads of size bytes that must fail, by name. Each body can be read once.
func failedUploads(t *T, size int64) map[string]failedUpload {
	text := body(size, 2)
	expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	t.Cleanup(cancel)
	return map[string]failedUpload{
		"a source that fails midway": {
			body: failing(text[:size/2], errBoom),
			code: storage.BodyFailed,
		},
		"a source that fails at its end": {
			body: failing(text, errBoom),
			code: storage.BodyFailed,
		},
		"a source that fails at once": {
			body: failing("", errBoom),
			code: storage.BodyFailed,
		},
		"a source that ends unexpectedly": {
			body: failing(text[:size/2], io.ErrUnexpectedEOF),
			code: storage.BodyFailed,
		},
		"a body shorter than declared": {
			body: stream(text),
			opts: []storage.UploadOption{storage.WithSize(size + 1)},
			code: storage.BodyFailed,
		},
		"a body longer than declared": {
			body: stream(text),
			opts: []storage.UploadOption{storage.WithSize(size - 1)},
			code: storage.BodyFailed,
		},
		"a reader in place shorter than declared": {
			body: strings.NewReader(text),
			opts: []storage.UploadOption{storage.WithSize(size + 1)},
			code: storage.BodyFailed,
		},
		"a reader in place longer than declared": {
			body: strings.NewReader(text),
			opts: []storage.UploadOption{storage.WithSize(size - 1)},
			code: storage.BodyFailed,
		},
		"a wrong checksum": {
			body: strings.NewReader(text),
			opts: []storage.UploadOption{storage.WithCRC32C(sum([]byte(text)) + 1)},
			code: storage.ChecksumMismatch,
		},
		"a wrong checksum of a stream": {
			body: stream(text),
			opts: []storage.UploadOption{storage.WithCRC32C(sum([]byte(text)) + 1)},
			code: storage.ChecksumMismatch,
		},
		"a condition that fails": {
			body:  strings.NewReader(text),
			opts:  []storage.UploadOption{storage.IfAbsent()},
			needs: storage.ConditionalCreate,
			code:  storage.PreconditionFailed,
		},
		"a condition that fails for a stream": {
			body:  stream(text),
			opts:  []storage.UploadOption{storage.IfAbsent()},
			needs: storage.ConditionalCreate,
			code:  storage.PreconditionFailed,
		},
		"a cancelled ctx": {
			ctx:  canceled(t),
			body: strings.NewReader(text),
			code: storage.Canceled,
		},
		"an expired deadline": {
			ctx:  expired,
			body: strings.NewReader(text),
			code: storage.DeadlineExceeded,
		},
	}
}
