package clamd_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // of the format of signatures
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/clamd"
	"github.com/omnibucket/storage/uploads/rules"
)

const (
	maxFileSize     = 512 << 10 // of the real clamd
	streamMaxLength = 1 << 20
	signature       = "Test.EICAR.UNOFFICIAL" // clamd adds the end to the name of a signature that is not its maker's
)

// eicar returns the EICAR test file, which every scanner must find. This source has it in pieces,
// because a scanner would find the source otherwise.
func eicar() string {
	return `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + "EICAR-STANDARD-ANTI" + "VIRUS-TEST-FILE!$H+H*"
}

// newZip returns an archive with one file. The archive is nested in more archives.
func newZip(t *testing.T, content string, depth int) string {
	t.Helper()
	for level := range depth {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		f, err := w.Create(fmt.Sprintf("folder/%d", level))
		require.NoError(t, err)
		_, err = io.WriteString(f, content)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		content = b.String()
	}
	return content
}

// newInfected returns an archive of this size that contains EICAR and a file of noise. It first
// makes an archive without noise, to find out how much noise is needed.
func newInfected(t *testing.T, size int) string {
	t.Helper()
	var b bytes.Buffer
	for noise := 0; b.Len() < size; noise = size - b.Len() {
		b.Reset()
		w := zip.NewWriter(&b)
		for name, content := range map[string]string{"noise": strings.Repeat("a", noise), "eicar": eicar()} {
			f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
			require.NoError(t, err)
			_, err = io.WriteString(f, content)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
	}

	require.Equal(t, size, b.Len())
	return b.String()
}

// encrypted returns the archive, which has one file, with the mark of an encrypted file.
func encrypted(archive string) string {
	b := []byte(archive)
	b[6] |= 1 // the flags after the signature and the version
	b[strings.LastIndex(archive, "PK\x01\x02")+8] |= 1
	return string(b)
}

// A daemon is a running clamd. It knows one signature.
type daemon struct {
	unix, tcp string // addresses
	kill      func() // returns when clamd has ended
}

// start starts clamd, whose only signature is that of EICAR, and waits until it answers. The given lines are added to
// its clamd.conf.
func start(t *testing.T, lines ...string) *daemon {
	t.Helper()
	name := "clamd"
	if _, err := exec.LookPath(name); err != nil {
		name = "/usr/sbin/clamd" // Debian's PATH of users lacks its directory
	}
	path := testserver.Program(t, name)
	dir, err := os.MkdirTemp("", "clamd")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })

	// On Debian and Ubuntu, AppArmor keeps the installed program from reading files elsewhere. It does not stop a copy
	// of the program.
	program, err := os.ReadFile(path)
	require.NoError(t, err)

	// Write the program, the signature and the configuration into the directory.
	write := func(name string, content string, mode os.FileMode) string {
		name = filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(content), mode))
		return name
	}
	executable := write("clamd", string(program), 0o700)
	sum := md5.Sum([]byte(eicar())) //nolint:gosec // see above
	write("signatures/test.hdb", fmt.Sprintf("%s:%d:Test.EICAR\n", hex.EncodeToString(sum[:]), len(eicar())), 0o600)

	// The port is free at this moment.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	require.NoError(t, listener.Close())

	config := write("clamd.conf", strings.Join(append([]string{
		"Foreground yes",
		"DatabaseDirectory " + filepath.Join(dir, "signatures"),
		"TemporaryDirectory " + dir,
		"LocalSocket " + filepath.Join(dir, "socket"),
		"TCPAddr " + host, "TCPSocket " + port,
		fmt.Sprint("MaxFileSize ", maxFileSize),
		fmt.Sprint("StreamMaxLength ", streamMaxLength),
	}, lines...), "\n")+"\n", 0o600)

	var log bytes.Buffer
	command := exec.Command(executable, "--config-file="+config)
	command.Stdout = &log
	command.Stderr = &log
	require.NoError(t, command.Start())
	d := &daemon{
		unix: "unix://" + filepath.Join(dir, "socket"),
		tcp:  "tcp://" + net.JoinHostPort(host, port),
		kill: sync.OnceFunc(func() {
			_ = command.Process.Kill()
			_ = command.Wait()
		}),
	}
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Log(log.String())
		}
	})

	for _, address := range []string{d.unix, d.tcp} {
		f := newScanner(t, clamd.Config{Address: address, IfDown: clamd.Refuse})
		require.Eventually(
			t,
			func() bool { return f.scanner.Ping(t.Context()) == nil },
			time.Minute,
			10*time.Millisecond,
			"clamd does not answer",
		)
	}
	return d
}

// A real clamd accepts, refuses and limits content.
func TestRealClamd(t *testing.T) {
	d := start(t)
	tests := []struct {
		name, content string
		want          any
	}{
		{name: "an empty file", content: "", want: errNone},
		{name: "a text", content: "hello", want: errNone},
		{name: "EICAR", content: eicar(), want: uploads.Refused},
		{name: "EICAR in an archive", content: newZip(t, eicar(), 1), want: uploads.Refused},
		{name: "EICAR in an archive in an archive", content: newZip(t, eicar(), 5), want: uploads.Refused},
		{name: "EICAR in a file of the largest size", content: newInfected(t, maxFileSize), want: uploads.Refused},
		{name: "a clean file of the largest size", content: strings.Repeat("a", maxFileSize), want: errNone},
		{name: "EICAR in a file above MaxFileSize", content: newInfected(t, maxFileSize+1), want: uploads.TooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, address := range []string{d.unix, d.tcp} {
				f := newScanner(t, clamd.Config{Address: address, IfDown: clamd.Accept, MaxSize: maxFileSize})
				err := f.scan(t, tt.content)
				require.Equal(t, tt.want, codes(err), "%v", err)
				require.Empty(t, f.accepted)
				if tt.want == uploads.Refused {
					require.Equal(t, []string{signature}, f.found)
				}
			}
		})
	}

	t.Run("MaxSize above StreamMaxLength", func(t *testing.T) {
		for _, size := range []int{streamMaxLength + 1, 8 << 20} {
			content := newContent(t, memstore.New(), strings.Repeat("x", size))
			for _, address := range []string{d.unix, d.tcp} {
				f := newScanner(t, clamd.Config{Address: address, IfDown: clamd.Accept, MaxSize: 1 << 30})
				for range 20 {
					err := f.scanner.Inspect(t.Context(), &uploads.File{Key: "name"}, content)
					require.Error(t, err)
					require.Equal(t, uploads.TooLarge, codes(err), "%v", err)
				}
				require.Empty(t, f.accepted)
			}
		}
	})

	// clamd accepts an infected file that is larger than its own limit, MaxFileSize. This is why MaxSize exists. If
	// this test fails, clamd has become stricter.
	t.Run("MaxSize above MaxFileSize", func(t *testing.T) {
		f := newScanner(t, clamd.Config{Address: d.unix, IfDown: clamd.Refuse, MaxSize: streamMaxLength})
		require.NoError(t, f.scan(t, newInfected(t, maxFileSize+1)))
	})

	t.Run("version", func(t *testing.T) {
		f := newScanner(t, clamd.Config{Address: d.tcp, IfDown: clamd.Refuse})
		version, err := f.scanner.Version(t.Context())
		require.NoError(t, err)
		require.Contains(t, version, "ClamAV ")
	})

	t.Run("many at once", func(t *testing.T) {
		bucket := memstore.New()
		newContent(t, bucket, eicar())
		for _, address := range []string{d.unix, d.tcp} {
			f, err := clamd.New(clamd.Config{Address: address, IfDown: clamd.Refuse})
			require.NoError(t, err)
			var all sync.WaitGroup
			errs := make(chan error, 300)
			for range cap(errs) {
				all.Go(func() {
					r, err := storage.NewReaderAt(t.Context(), bucket, "staged")
					if err == nil {
						err = f.Inspect(t.Context(), &uploads.File{}, r)
						_ = r.Close()
					}
					errs <- err
				})
			}
			all.Wait()
			close(errs)

			for err := range errs {
				require.Equal(t, uploads.Refused, codes(err), "%v", err)
			}
		}
	})
}

// Inspect refuses content that exceeds a limit of a real clamd, and an encrypted archive.
func TestRealClamdLimits(t *testing.T) {
	d := start(t, "AlertExceedsMax yes", "AlertEncrypted yes", "MaxRecursion 4")
	tests := []struct {
		name      string
		content   string
		wantFound string // signature; "" if the file is clean
	}{
		{
			name:      "a file above MaxFileSize",
			content:   strings.Repeat("x", maxFileSize+1),
			wantFound: "Heuristics.Limits.Exceeded.MaxFileSize",
		},
		{
			name:      "more nested archives than MaxRecursion",
			content:   newZip(t, "hello", 6),
			wantFound: "Heuristics.Limits.Exceeded.MaxRecursion",
		},
		{name: "nested archives", content: newZip(t, "hello", 2)},
		{
			name:      "an encrypted archive",
			content:   encrypted(newZip(t, "hello", 1)),
			wantFound: "Heuristics.Encrypted.Zip",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newScanner(t, clamd.Config{Address: d.unix, IfDown: clamd.Refuse})
			err := f.scan(t, tt.content)
			require.Equal(t, tt.wantFound, strings.Join(f.found, ", "))
			if tt.wantFound == "" {
				require.NoError(t, err)
				return
			}

			// The message says that the file was not scanned. It does not say that the file has a
			// virus.
			refusal, ok := errors.AsType[*uploads.Error](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, uploads.Refused, refusal.Code)
			require.Contains(t, refusal.Message, "cannot be scanned")
		})
	}
}

// If a real clamd dies during a scan, Config.IfDown decides whether the file passes.
func TestRealClamdDies(t *testing.T) {
	// newDyingServer starts a server between the scanner and a clamd. The server kills clamd after
	// it has passed on part of the content.
	newDyingServer := func(t *testing.T) *server {
		daemon := start(t)
		_, socket, _ := strings.Cut(daemon.unix, "://")
		return startServer(t, "unix", &server{
			scan: func(c *client) {
				toDaemon, err := net.Dial("unix", socket)
				if err != nil {
					return
				}
				defer toDaemon.Close()
				_, _ = io.WriteString(toDaemon, "zINSTREAM\x00")
				_, _ = io.CopyN(toDaemon, c.in, 300_000)
				daemon.kill()
				// Pass on what clamd has replied.
				_, _ = io.Copy(c, toDaemon)
			},
			ping: func(c *client) {
				if toDaemon, err := net.Dial("unix", socket); err == nil {
					_ = toDaemon.Close()
					c.say("PONG\x00")
				}
			},
		})
	}
	content := strings.Repeat("x", streamMaxLength)

	t.Run("refuse", func(t *testing.T) {
		f := newScanner(t, clamd.Config{Address: newDyingServer(t).address, IfDown: clamd.Refuse})
		require.ErrorIs(t, f.scan(t, content), storage.Unavailable)
	})

	t.Run("accept", func(t *testing.T) {
		f := newScanner(t, clamd.Config{Address: newDyingServer(t).address, IfDown: clamd.Accept})
		require.NoError(t, f.scan(t, content))
		require.Len(t, f.accepted, 1)
		require.ErrorContains(t, f.accepted[0], "clamd")
	})
}

// A service responds to a form with what clamd found, without naming clamd, and keeps nothing of a refused file.
func TestRealClamdWithService(t *testing.T) {
	d := start(t)
	f := newScanner(t, clamd.Config{Address: d.unix, IfDown: clamd.Refuse, MaxSize: maxFileSize})
	bucket := memstore.New()
	var operatorErrs []error
	service, err := uploads.New(bucket, uploads.Config{
		Rules:     rules.Any(streamMaxLength),
		Key:       "files/{random}",
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
		Inspect: func(ctx context.Context, file *uploads.File, content *storage.ReaderAt) error {
			require.True(t, strings.HasPrefix(file.Key, "files/"))
			return f.scanner.Inspect(ctx, &uploads.File{Key: "name"}, content)
		},
		OnError: func(_ *http.Request, err error) {
			operatorErrs = append(operatorErrs, err)
		},
	})
	require.NoError(t, err)

	tests := []struct {
		name       string
		content    string
		isDown     bool
		wantStatus int
		wantBody   string // a part of it
		wantFiles  int    // stored by this and earlier cases
	}{
		{
			name:       "EICAR",
			content:    eicar(),
			wantStatus: http.StatusUnprocessableEntity,
			wantBody:   `"code":"refused"`,
		},
		{
			name:       "too large",
			content:    strings.Repeat("x", maxFileSize+1),
			wantStatus: http.StatusRequestEntityTooLarge,
			wantBody:   `"code":"too_large"`,
		},
		{
			name:       "clean",
			content:    "hello",
			wantStatus: http.StatusCreated,
			wantBody:   `"size":5`,
			wantFiles:  1,
		},
		{
			name:       "down",
			content:    "hello",
			isDown:     true,
			wantStatus: http.StatusServiceUnavailable,
			wantBody:   `"code":"busy"`,
			wantFiles:  1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.isDown {
				d.kill()
			}
			form := "--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n" + tt.content + "\r\n--b--\r\n"
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(form))
			r.Header.Set("Content-Type", "multipart/form-data; boundary=b")

			service.ServeHTTP(w, r)
			require.Equal(t, tt.wantStatus, w.Code, w.Body)
			require.Contains(t, w.Body.String(), tt.wantBody)
			require.NotContains(t, w.Body.String(), "EICAR")
			require.NotContains(t, w.Body.String(), "clamd")
			require.Equal(t, tt.isDown, w.Header().Get("Retry-After") != "")
			require.Equal(t, tt.isDown, len(operatorErrs) == 1, "the operator sees that clamd is down")

			count := 0
			for _, err := range bucket.List(t.Context()) {
				require.NoError(t, err)
				count++
			}
			require.Equal(t, tt.wantFiles, count)
		})
	}
}
