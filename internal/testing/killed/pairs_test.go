// Package killed_test runs pairs of operations in processes that are killed at any moment, over a directory and over the
// S3 server of this repository. Package interleave explores the same pairs between requests; this test also reaches what
// is between two system calls.
package killed_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/lease"
	"github.com/omnibucket/storage/providers/local"
	_ "github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

const (
	// childVariable makes the test program one of two processes. Its value is the number of the pair, the side, the
	// prefix of the round, and the address of the store.
	childVariable = "OMNIBUCKET_KILLED_CHILD"
	// timeVariable is how long each pair runs on each store, such as 30s. By default, each pair runs once over a
	// directory.
	timeVariable = "OMNIBUCKET_TEST_KILLED"
	// keys is the number of objects of a round.
	keys = 30
)

// TestMain runs the operations of one process of a pair, if this is a child process, and otherwise
// the tests.
func TestMain(m *testing.M) {
	child := os.Getenv(childVariable)
	if child == "" {
		os.Exit(m.Run())
	}
	if err := runChild(strings.SplitN(child, " ", 4)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A side is the operation that one process of a pair makes for each object of the round. It gets the number of the
// object.
type side func(ctx context.Context, p *place, i int) error

// A pair is two operations that meet.
type pair struct {
	name  string
	sides [2]side
	// prepare stores what both operations need before they begin.
	prepare func(t *testing.T, p *place)
	check   func(t *testing.T, p *place, did [2]progress)
	// onlyDirectories is true for a pair that does not run over the S3 server.
	onlyDirectories bool
}

// A progress is what a process has said about its operations, by their numbers.
type progress struct {
	begun map[int]bool
	ended map[int]string // the code of the error, or ""
}

// succeeded reports whether an operation has ended without an error.
func (d progress) succeeded(i int) bool {
	code, ok := d.ended[i]
	return ok && code == ""
}

// mayHave reports whether an operation may have had an effect.
func (d progress) mayHave(i int) bool {
	code, ok := d.ended[i]
	return d.begun[i] && (!ok || code == "" || code == string(storage.OutcomeUnknown))
}

// A place is the store in which the two operations of a pair meet once.
type place struct {
	storage.Bucket
	address string
	prefix  string         // of the keys of the round
	side    int            // index of the process in its pair
	opened  map[string]any // what a side keeps from one operation to the next one
}

// key returns a key, which is the prefix of the round, the name and the number i.
func (p *place) key(name string, i int) string { return fmt.Sprintf("%s%s%d", p.prefix, name, i) }

// put stores an object.
func (p *place) put(ctx context.Context, key, text string) error {
	_, err := p.Upload(ctx, key, strings.NewReader(text))
	return err
}

// text returns the content of an object, or "" if there is none.
func (p *place) text(t *testing.T, b storage.Bucket, key string) string {
	data, _, err := storage.ReadAll(t.Context(), b, key)
	if errors.Is(err, storage.ObjectNotFound) {
		return ""
	}
	require.NoError(t, err)
	return string(data)
}

// mirrored returns a mirror of the bucket, and its second store, which is a directory with the suffix "-second".
func (p *place) mirrored(ctx context.Context) (b, second storage.Bucket, err error) {
	second, err = storage.Open(ctx, strings.Replace(p.address, "?", "-second?", 1))
	if err != nil {
		return nil, nil, err
	}
	layer, err := mirror.New(second, mirror.Config{})
	if err != nil {
		return nil, nil, err
	}
	b, err = storage.Open(ctx, p.address, driver.WithLayer(layer))
	return b, second, err
}

// log returns the log of the round.
func (p *place) log() (*commit.Log, error) {
	if l, ok := p.opened["log"].(*commit.Log); ok {
		return l, nil
	}
	l, err := commit.New(p.Bucket, p.prefix+"log/")
	p.opened["log"] = l
	return l, err
}

// service returns a service of uploads. Each round has a user of its own, with the same name as the round.
func (p *place) service() (*uploads.Service, error) {
	if s, ok := p.opened["service"].(*uploads.Service); ok {
		return s, nil
	}
	s, err := p.serviceOf(p.Bucket, time.Now)
	p.opened["service"] = s
	return s, err
}

// serviceLater returns a service for which the clock of the process and the clock of the store have moved on.
func (p *place) serviceLater(t *testing.T, by time.Duration) *uploads.Service {
	now := func() time.Time { return time.Now().Add(by) }
	s, err := p.serviceOf(wrapped.Clock(t, p.Bucket, now), now)
	require.NoError(t, err)
	return s
}

// user returns the user of the round.
func (p *place) user() uploads.User { return uploads.User{ID: strings.TrimSuffix(p.prefix, "/")} }

// serviceOf returns a service of uploads over b, with a clock.
func (p *place) serviceOf(b storage.Bucket, now func() time.Time) (*uploads.Service, error) {
	return uploads.New(b, uploads.Config{
		Rules:     rules.Any(1 << 20),
		Key:       "{user}/{random}{ext}",
		TokenKey:  make([]byte, 32),
		BaseURL:   "http://site.invalid",
		Now:       now,
		Authorize: func(*http.Request) (uploads.User, error) { return p.user(), nil },
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: 1 << 20, Files: 1000}, nil
		},
	})
}

// requireCounted requires that all stored files are counted or reserved, and that all counted files are stored.
// finished is the number of files that must be stored and counted. It returns the number of files.
func (p *place) requireCounted(t *testing.T, s *uploads.Service, finished int64) int64 {
	t.Helper()
	var files, size int64
	for entry, err := range p.List(t.Context(), storage.WithPrefix(p.prefix)) {
		require.NoError(t, err)
		files++
		size += entry.Size
	}
	usage, err := s.Usage(t.Context(), p.user().ID)
	require.NoError(t, err)

	require.GreaterOrEqual(t, files, finished, "a finished file is lost")
	require.GreaterOrEqual(t, usage.Files, finished, "a finished file is not counted")

	// All files that are counted are stored.
	require.LessOrEqual(t, usage.Files, files)
	require.LessOrEqual(t, usage.Bytes, size)

	// All files that are stored are counted or reserved.
	require.GreaterOrEqual(t, usage.Files+usage.ReservedFiles, files)
	require.GreaterOrEqual(t, usage.Bytes+usage.ReservedBytes, size)
	return files
}

// tokens returns the tokens of the tickets that prepare has stored. It reads them only once.
func (p *place) tokens(ctx context.Context) ([]string, error) {
	if tokens, ok := p.opened["tokens"].([]string); ok {
		return tokens, nil
	}
	data, _, err := storage.ReadAll(ctx, p.Bucket, "tokens/"+p.prefix+"list")
	tokens := strings.Fields(string(data))
	p.opened["tokens"] = tokens
	return tokens, err
}

// prepareObjects stores an object with the text "first" under each key of the round.
func prepareObjects(t *testing.T, p *place) {
	for i := range keys {
		require.NoError(t, p.put(t.Context(), p.key("k", i), "first"))
	}
}

// prepareMirror stores the same objects through the mirror.
func prepareMirror(t *testing.T, p *place) {
	b, second, err := p.mirrored(t.Context())
	require.NoError(t, err)
	defer func() {
		require.NoError(t, errors.Join(storage.Close(b), storage.Close(second)))
	}()
	for i := range keys {
		_, err := b.Upload(t.Context(), p.key("k", i), strings.NewReader("first"))
		require.NoError(t, err)
	}
}

// prepareTickets signs a ticket for each number from 0 to keys, and uploads its file.
func prepareTickets(t *testing.T, p *place) {
	const size = 100
	s, err := p.service()
	require.NoError(t, err)
	var tokens []string
	for range keys {
		ticket, err := s.Sign(t.Context(), uploads.Request{Size: size}, p.user())
		require.NoError(t, err)
		tokens = append(tokens, ticket.Token)

		// A client would send the file with the form or URL of the ticket.
		var key string
		if ticket.Form != nil {
			key = ticket.Form.Fields["key"]
		} else {
			address, _, _ := strings.Cut(ticket.Put.URL, "?")
			key = address[strings.Index(address, ".uploads/"):]
		}
		_, err = p.Upload(t.Context(), key, bytes.NewReader(make([]byte, size)),
			storage.WithContentType("application/octet-stream"))
		require.NoError(t, err)
	}
	require.NoError(t, p.put(t.Context(), "tokens/"+p.prefix+"list", strings.Join(tokens, "\n")))
}

// uploadNew replaces an object.
func uploadNew(ctx context.Context, p *place, i int) error { return p.put(ctx, p.key("k", i), "new") }

// A side is the operation of one of the two processes. moveFrom returns a side that moves an object from one name to
// another.
func moveFrom(src, dst string) side {
	return func(ctx context.Context, p *place, i int) error {
		_, err := storage.Move(ctx, p.Bucket, p.key(src, i), p.key(dst, i))
		return err
	}
}

// appendEntry appends an entry to the log. The entry has the number of the process and the number of the operation.
func appendEntry(ctx context.Context, p *place, i int) error {
	l, err := p.log()
	if err != nil {
		return err
	}
	_, err = l.Append(ctx, func(int64) ([]byte, error) { return []byte(fmt.Sprint(p.side, "-", i)), nil })
	return err
}

// keptEntries is the number of entries that trimLog leaves.
const keptEntries = 5

// trimLog removes the entries of the log except the last ones.
func trimLog(ctx context.Context, p *place, _ int) error {
	l, err := p.log()
	if err != nil {
		return err
	}
	last, err := l.Last(ctx)
	if err != nil || last <= keptEntries {
		return err
	}
	return l.Trim(ctx, last-keptEntries)
}

// holdLease acquires a lease, and makes a file that nobody else may have at that time. The file names the process, so
// that the next holder knows whether that has been killed.
func holdLease(ctx context.Context, p *place, _ int) error {
	l, err := lease.Acquire(ctx, p.Bucket, p.prefix+"lease", lease.WithTTL(heldFor),
		lease.WithInterval(20*time.Millisecond))
	if err != nil {
		return err
	}

	// A file that is there belongs to a holder that was killed. If its process still runs, two hold the lease.
	name := filepath.Join(os.Getenv(heldVariable), strings.ReplaceAll(p.prefix, "/", "-")+"held")
	if text, err := os.ReadFile(name); err == nil {
		pid, _ := strconv.Atoi(string(text)) // 0 if the holder was killed before it wrote its number
		isRunning := pid > 0 && syscall.Kill(pid, 0) == nil
		if isRunning && l.Context().Err() == nil {
			return fmt.Errorf("process %d and %d hold the lease", pid, os.Getpid())
		}
	}

	if err := os.WriteFile(name, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return err
	}
	if err := os.Remove(name); err != nil {
		return err
	}
	return l.Release()
}

// finishUpload finishes the upload of a ticket.
func finishUpload(ctx context.Context, p *place, i int) error {
	s, err := p.service()
	if err != nil {
		return err
	}
	tokens, err := p.tokens(ctx)
	if err != nil {
		return err
	}
	_, err = s.Finish(ctx, tokens[i], p.user())
	return err
}

// cancelUpload cancels the upload of a ticket.
func cancelUpload(ctx context.Context, p *place, i int) error {
	s, err := p.service()
	if err != nil {
		return err
	}
	tokens, err := p.tokens(ctx)
	if err != nil {
		return err
	}
	return s.Cancel(ctx, tokens[i], p.user())
}

// withMirror returns a side, the operation of one of two processes. The side passes a mirror to the
// function do. All operations of a process use the same mirror.
func withMirror(do func(ctx context.Context, p *place, b storage.Bucket, i int) error) side {
	return func(ctx context.Context, p *place, i int) error {
		if b, ok := p.opened["mirror"].(storage.Bucket); ok {
			return do(ctx, p, b, i)
		}
		b, _, err := p.mirrored(ctx)
		if err != nil {
			return err
		}
		p.opened["mirror"] = b
		return do(ctx, p, b, i)
	}
}

const (
	heldVariable = "OMNIBUCKET_KILLED_HELD"
	heldFor      = 3 * time.Second
)

var pairs = []pair{
	{
		name: "upload and remove",
		sides: [2]side{
			uploadNew,
			func(ctx context.Context, p *place, i int) error { return p.Remove(ctx, p.key("k", i)) },
		},
		prepare: prepareObjects,
		check: func(t *testing.T, p *place, did [2]progress) {
			for i := range keys {
				text := p.text(t, p, p.key("k", i))
				require.Contains(t, []string{"first", "new", ""}, text)
				if !did[0].mayHave(i) && !did[1].mayHave(i) {
					require.Equal(t, "first", text)
				}
				if did[0].succeeded(i) && !did[1].mayHave(i) {
					require.Equal(t, "new", text)
				}
				if did[1].succeeded(i) && !did[0].mayHave(i) {
					require.Empty(t, text)
				}
			}
		},
	},
	{
		name:    "move and move back",
		sides:   [2]side{moveFrom("k", "l"), moveFrom("l", "k")},
		prepare: prepareObjects,
		check: func(t *testing.T, p *place, _ [2]progress) {
			for i := range keys {
				texts := p.text(t, p, p.key("k", i)) + p.text(t, p, p.key("l", i))
				require.Contains(t, []string{"first", "firstfirst"}, texts)
			}
		},
		// Equal content has equal revisions on S3, so that moves in opposite directions may lose it: see Move.
		onlyDirectories: true,
	},
	{
		name: "append and upload",
		sides: [2]side{
			func(ctx context.Context, p *place, i int) error {
				_, err := storage.Append(ctx, p.Bucket, p.key("k", i), []byte("+"))
				return err
			},
			uploadNew,
		},
		prepare: prepareObjects,
		check: func(t *testing.T, p *place, did [2]progress) {
			for i := range keys {
				text := p.text(t, p, p.key("k", i))
				require.Contains(t, []string{"first", "first+", "new", "new+"}, text)
				if did[0].succeeded(i) && !did[1].mayHave(i) {
					require.Equal(t, "first+", text)
				}
				if did[1].succeeded(i) {
					require.Contains(t, []string{"new", "new+"}, text)
				}
			}
		},
	},
	{
		name:  "append to a log and append",
		sides: [2]side{appendEntry, appendEntry},
		check: func(t *testing.T, p *place, did [2]progress) {
			l, err := p.log()
			require.NoError(t, err)
			values := make(map[string]bool)
			last, err := l.Last(t.Context())
			require.NoError(t, err)

			for number := int64(1); number <= last; number++ {
				entry, err := l.Read(t.Context(), number)
				require.NoError(t, err)
				require.False(t, values[string(entry.Data)], "%s is there twice", entry.Data)
				values[string(entry.Data)] = true
			}

			for which, d := range did {
				for i := range keys {
					name := fmt.Sprint(which, "-", i)
					if d.succeeded(i) {
						require.True(t, values[name], "%s is lost", name)
					}
					if values[name] {
						require.True(t, d.mayHave(i), "%s was not appended", name)
					}
				}
			}
		},
	},
	{
		name:  "append to a log and trim",
		sides: [2]side{appendEntry, trimLog},
		check: func(t *testing.T, p *place, did [2]progress) {
			l, err := p.log()
			require.NoError(t, err)
			last, err := l.Last(t.Context())
			require.NoError(t, err)
			for number := max(1, last-keptEntries+1); number <= last; number++ {
				_, err := l.Read(t.Context(), number)
				require.NoError(t, err)
			}

			appended := 0
			for i := range keys {
				if did[0].succeeded(i) {
					appended++
				}
			}

			require.GreaterOrEqual(t, last, int64(appended))
		},
	},
	{
		name:  "hold a lease and hold it",
		sides: [2]side{holdLease, holdLease},
		check: func(t *testing.T, p *place, did [2]progress) {
			for _, d := range did {
				for i, code := range d.ended {
					require.NotEqual(t, string(storage.Internal), code, "operation %d", i)
				}
			}
		},
	},
	{
		name:    "finish and cancel",
		sides:   [2]side{finishUpload, cancelUpload},
		prepare: prepareTickets,
		check: func(t *testing.T, p *place, did [2]progress) {
			finished := int64(0)
			for i := range keys {
				require.False(t, did[0].succeeded(i) && did[1].succeeded(i),
					"ticket %d is finished and canceled", i)
				if did[0].succeeded(i) {
					finished++
				}
			}
			s, err := p.service()
			require.NoError(t, err)
			p.requireCounted(t, s, finished)

			// Tickets that have neither ended nor expired keep their room, and what a killed process has stored
			// is in it.
			_, err = s.Sweep(t.Context())
			require.NoError(t, err)
			p.requireCounted(t, s, finished)

			// The client repeats half of the calls.
			tokens, err := p.tokens(t.Context())
			require.NoError(t, err)
			for i := range keys / 2 {
				_, err := s.Finish(t.Context(), tokens[i], p.user())
				if did[0].succeeded(i) {
					require.NoError(t, err, "ticket %d was finished", i)
				}
			}
			files := p.requireCounted(t, s, finished)

			// After the end of all tickets, one Sweep makes the count exact.
			laterService := p.serviceLater(t, 200*time.Hour)
			_, err = laterService.Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, files, p.requireCounted(t, laterService, finished))
			usage, err := laterService.Usage(t.Context(), p.user().ID)
			require.NoError(t, err)
			require.Zero(t, usage.ReservedFiles)
			require.Zero(t, usage.ReservedBytes)
			require.Equal(t, files, usage.Files)
		},
	},
	{
		name: "write to a mirror and repair it",
		sides: [2]side{
			withMirror(func(ctx context.Context, p *place, b storage.Bucket, i int) error {
				if i%3 == 2 {
					return b.Remove(ctx, p.key("k", i))
				}
				_, err := b.Upload(ctx, p.key("k", i), strings.NewReader("new"))
				return err
			}),
			withMirror(func(ctx context.Context, _ *place, b storage.Bucket, _ int) error {
				_, err := mirror.Repair(ctx, b)
				return err
			}),
		},
		prepare: prepareMirror,
		check: func(t *testing.T, p *place, did [2]progress) {
			b, second, err := p.mirrored(t.Context())
			require.NoError(t, err)
			defer func() {
				require.NoError(t, errors.Join(storage.Close(b), storage.Close(second)))
			}()
			_, err = mirror.RepairAll(t.Context(), b)
			require.NoError(t, err)

			for i := range keys {
				text := p.text(t, b, p.key("k", i))
				require.Equal(t, text, p.text(t, second, p.key("k", i)), "the stores differ")
				newText := "new"
				if i%3 == 2 {
					newText = ""
				}
				require.Contains(t, []string{"first", newText}, text)
				if did[0].succeeded(i) {
					require.Equal(t, newText, text)
				}
			}
		},
		onlyDirectories: true,
	},
}

// runChild runs one of the two operations of a pair, and prints when an operation begins and when it has ended. args
// are the four fields that childVariable describes.
func runChild(args []string) error {
	pairNumber, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	sideNumber, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	prefix := args[2]
	address := args[3]

	ctx := context.Background()
	p, err := openPlace(ctx, address, prefix)
	if err != nil {
		return err
	}
	p.side = sideNumber
	operation := pairs[pairNumber].sides[sideNumber]
	for i := range keys {
		fmt.Println("begun", i)
		err := operation(ctx, p, i)
		fmt.Println("ended", i, codeOf(err))
		if codeOf(err) == string(storage.Internal) {
			return err
		}
	}
	return nil
}

// codeOf returns the code of an error of the library or of uploads.
func codeOf(err error) string {
	var refusal *uploads.Error
	if errors.As(err, &refusal) {
		return string(refusal.Code)
	}
	return string(storage.CodeOf(err))
}

// openPlace opens the store of a round. If the S3 driver refuses the option for signed URLs, it opens without it.
func openPlace(ctx context.Context, address, prefix string) (*place, error) {
	b, err := storage.Open(ctx, address, storage.WithSigningBaseURL("http://store.invalid"))
	if err != nil && strings.HasPrefix(address, "s3:") {
		b, err = storage.Open(ctx, address)
	}
	return &place{Bucket: b, address: address, prefix: prefix, opened: make(map[string]any)}, err
}

// Two processes work on the same objects, such as one that uploads and one that removes them. They are killed at any
// moment. Each operation that was acknowledged has its effect.
func TestPairsOfKilledProcesses(t *testing.T) {
	testserver.Slow(t)

	// A pair has the operations of both processes. runPair runs the pair with this number over a store.
	for number, pair := range pairs {
		t.Run(pair.name, func(t *testing.T) {
			t.Run("directory", func(t *testing.T) {
				runPair(t, number, "file://"+t.TempDir()+"/b?create=true&sync=false")
			})

			// Only a run for a given time includes the S3 server.
			isTimed := os.Getenv(timeVariable) != ""
			if isTimed && !pair.onlyDirectories {
				t.Run("s3server", func(t *testing.T) {
					runPair(t, number, startPairsServer(t))
				})
			}
		})
	}
}

// startPairsServer starts an S3 server over a directory, sets the variables with its credentials, and returns the
// address of its bucket.
func startPairsServer(t *testing.T) string {
	service, err := local.NewServiceDriver(t.TempDir(), local.Config{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = service.Close() })
	server := s3server.ForTest(t, s3server.Config{Service: service, Buckets: []string{"pairs"}})
	for _, text := range server.Env() {
		name, value, _ := strings.Cut(text, "=")
		t.Setenv(name, value)
	}
	return "s3://pairs?path_style=true&region=us-east-1&profile=omnibucket&endpoint=" + server.URL
}

// runPair lets the two operations of a pair meet over a store, again and again: once, or for the time of timeVariable.
func runPair(t *testing.T, number int, address string) {
	var duration time.Duration
	if text := os.Getenv(timeVariable); text != "" {
		var err error
		duration, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	t.Setenv(heldVariable, t.TempDir())
	pair := pairs[number]
	rounds, kills := 0, 0

	for end := time.Now().Add(duration); rounds == 0 || time.Now().Before(end); rounds++ {
		p, err := openPlace(t.Context(), address, fmt.Sprintf("r%d/", rounds))
		require.NoError(t, err)
		if pair.prepare != nil {
			pair.prepare(t, p)
		}

		// Both processes run at once, until they end or are killed.
		var children [2]*child
		for side := range children {
			children[side] = startChild(t, fmt.Sprint(number, " ", side, " ", p.prefix, " ", address))
		}
		var did [2]progress
		for side, c := range children {
			<-c.ended
			require.NoError(t, c.err)
			did[side] = c.did
			if c.killed {
				kills++
			}
		}

		pair.check(t, p, did)
		require.NoError(t, storage.Close(p.Bucket))
	}
	t.Logf("%d rounds, %d kills", rounds, kills)
}

// A child is one of the two processes that run the operations of a pair.
type child struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{} // closed at the end of the process; then the fields below are set
	did    progress
	killed bool
	err    error
}

// startChild starts this program as a process of a pair. arg has the form that childVariable describes.
func startChild(t *testing.T, arg string) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+arg)
	c := &child{
		cmd:   cmd,
		ended: make(chan struct{}),
		did: progress{
			begun: make(map[int]bool),
			ended: make(map[int]string),
		},
	}
	cmd.Stderr = &c.stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())

	go func() {
		defer close(c.ended)
		c.err = c.follow(stdout)
	}()
	return c
}

// follow reads what the process prints: a line "begun 3" before operation 3, and a line "ended 3 CODE" after it. It
// kills the process after a random line, or lets it end.
func (c *child) follow(r io.Reader) error {
	const printed = 2 * keys
	lastLine := rand.IntN(printed + keys) // one process in three ends by itself
	lines := 0
	for scanner := bufio.NewScanner(r); scanner.Scan(); lines++ {
		event, rest, _ := strings.Cut(scanner.Text(), " ")
		number, code, _ := strings.Cut(rest, " ")
		i, err := strconv.Atoi(number)
		if err != nil {
			return err
		}
		if event == "begun" {
			c.did.begun[i] = true
		} else {
			c.did.ended[i] = code
		}

		if lines == lastLine {
			c.killed = true
			time.AfterFunc(rand.N(3*time.Millisecond), func() {
				_ = c.cmd.Process.Kill()
			})
		}
	}

	err := c.cmd.Wait()
	if err != nil && !c.killed {
		return fmt.Errorf("%w: %s", err, &c.stderr)
	}
	return nil
}
