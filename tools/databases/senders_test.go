package databases_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

const (
	senderVariable = "OMNIBUCKET_TEST_SENDER" // has the settings of a sender as JSON
	senders        = 24                       // processes at the same time
	allowedBytes   = 40_000                   // of eva
	allowedFiles   = 12                       // of eva
	sendersGrace   = 2 * time.Second
	exitWrongUsage = 3 // exit status of a sender that has seen a usage outside of the allowance
)

// A sender is a process of its own, which stores and removes files of eva until it is killed.
type sender struct {
	Directory string // of the bucket; "" if it is on the S3 server
	URL       string // of the S3 server
	Database  string // address of the SQLite database; "" if there is none
	Tickets   string // directory for the tokens of tickets and pieces that may be open
	Seed      uint64
}

// open opens the bucket of the files.
func (s *sender) open(ctx context.Context) (storage.Bucket, error) {
	if s.Directory != "" {
		base := storage.WithSigningBaseURL("http://store.invalid")
		return local.Open(s.Directory, local.Config{NoSync: true}, base)
	}
	profile, _ := s3.NamedProfile("aws")
	return s3.Open(ctx, s3.Config{
		Endpoint:    s.URL,
		Bucket:      "files",
		Region:      s3server.DefaultRegion,
		PathStyle:   new(true),
		Profile:     &profile,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
}

// service returns the service of the process, its bucket, and a function that closes both.
func (s *sender) service(ctx context.Context) (*uploads.Service, storage.Bucket, func() error, error) {
	bucket, err := s.open(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	c := uploads.Config{
		Rules:    rules.Any(15_000),
		Key:      "{user}/{random}{ext}",
		TokenKey: make([]byte, 32),
		Grace:    sendersGrace,
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: allowedBytes, Files: allowedFiles}, nil
		},
		Authorize:  func(*http.Request) (uploads.User, error) { return eva, nil },
		ProxyParts: true,
	}
	closeAll := func() error { return storage.Close(bucket) }
	if s.Database != "" {
		db, err := sql.Open("sqlite", s.Database)
		if err != nil {
			return nil, nil, nil, err
		}
		db.SetMaxOpenConns(2)
		records, err := sqlrecords.New(ctx, db, sqlrecords.SQLite)
		if err != nil {
			return nil, nil, nil, err
		}
		c.Records = records
		c.Key = ""
		closeAll = func() error { return errors.Join(db.Close(), storage.Close(bucket)) }
	}
	service, err := uploads.New(bucket, c)
	return service, bucket, closeAll, err
}

// runSender is the main function of a sender. It returns only if it cannot begin, or if it sees a wrong usage.
func runSender(text string) (status int) {
	s := &sender{}
	if err := json.Unmarshal([]byte(text), s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx := context.Background()
	service, bucket, _, err := s.service(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	random := rand.New(rand.NewPCG(s.Seed, 1))
	for {
		s.step(ctx, service, bucket, random)
		usage, err := service.Usage(ctx, eva.ID)
		if err == nil && !isAllowed(usage) {
			fmt.Fprintf(os.Stderr, "usage: %+v\n", usage)
			return exitWrongUsage
		}
	}
}

// isAllowed reports whether a usage keeps to the allowance.
func isAllowed(u uploads.Usage) bool {
	return u.Bytes >= 0 && u.Files >= 0 && u.ReservedBytes >= 0 && u.ReservedFiles >= 0 &&
		u.Bytes+u.ReservedBytes <= allowedBytes && u.Files+u.ReservedFiles <= allowedFiles
}

// step stores or removes a file at random. It ignores errors: that there is no room is the rule.
func (s *sender) step(ctx context.Context, service *uploads.Service, bucket storage.Bucket, random *rand.Rand) {
	data := bytes.Repeat([]byte("a"), 1+random.IntN(9000))
	switch random.IntN(7) {
	case 0: // store a file of known size
		_, _ = service.Store(ctx, uploads.Upload{Body: bytes.NewReader(data), Size: int64(len(data)), User: eva})
	case 1: // store a file of unknown size
		_, _ = service.Store(ctx, uploads.Upload{Body: io.MultiReader(bytes.NewReader(data)), User: eva})
	case 2: // store a file with a ticket
		s.ticket(ctx, service, bucket, data)
	case 3: // store a file in pieces
		token := fmt.Sprintf("%d-%d", s.Seed, random.Uint64())
		if s.remember("pieces", token) == nil {
			putPieces(ctx, service, token, 2000)
		}
	default: // remove a file
		files, err := storedBy(ctx, service, bucket)
		if err != nil || len(files) == 0 {
			return
		}
		f := files[random.IntN(len(files))]
		if f.ID != "" {
			_ = service.Remove(ctx, f)
			return
		}
		_ = service.Delete(ctx, f.Key, eva)
	}
}

// ticket sends a file with a ticket, and finishes it twice at once.
func (s *sender) ticket(ctx context.Context, service *uploads.Service, bucket storage.Bucket, data []byte) {
	ticket, err := service.Sign(ctx, uploads.Request{Size: int64(len(data))}, eva)
	if err != nil || s.remember("ticket", ticket.Token) != nil {
		return
	}
	address, _, _ := strings.Cut(ticket.Put.URL, "?")
	key := address[strings.Index(address, uploads.DefaultPrefix):]
	kind := storage.WithContentType("application/octet-stream")
	if _, err := bucket.Upload(ctx, key, bytes.NewReader(data), kind); err != nil {
		return
	}
	var calls sync.WaitGroup
	for range 2 {
		calls.Go(func() {
			_, _ = service.Finish(ctx, ticket.Token, eva)
		})
	}
	calls.Wait()
}

// putPieces sends a file in two pieces of this size. It ends at the first piece that is refused.
func putPieces(ctx context.Context, service *uploads.Service, token string, size int) {
	for number := 1; number <= 2; number++ {
		_, err := service.PutPiece(ctx, uploads.Piece{
			Token:  token,
			Count:  2,
			Number: number,
			Body:   strings.NewReader(strings.Repeat("b", size)),
			User:   eva,
			Name:   "a",
		})
		if err != nil {
			return
		}
	}
}

// remember stores what the client of an upload would know, so that its upload can be ended after a kill.
func (s *sender) remember(kind, token string) error {
	name := fmt.Sprintf("%s-%d-%d", kind, s.Seed, time.Now().UnixNano())
	return os.WriteFile(filepath.Join(s.Tickets, name), []byte(token), 0o600)
}

// storedBy returns the files of eva, with their sizes.
func storedBy(ctx context.Context, service *uploads.Service, bucket storage.Bucket) (files []*uploads.File, err error) {
	if service.Records() != nil {
		list, _, err := service.Records().List(ctx, uploads.Filter{User: eva.ID, Expiring: true}, "", 100)
		return list, err
	}
	for entry, err := range bucket.List(ctx, storage.WithPrefix(eva.ID+"/")) {
		if err != nil {
			return nil, err
		}
		files = append(files, &uploads.File{Key: entry.Key, Size: entry.Size, User: eva})
	}
	return files, nil
}

// The service counts the bytes and files of each user. If processes are killed while they store and remove files of one
// user, this usage stays between 0 and the user's allowance. When the clients are done, Sweep makes the usage exact,
// except for the tickets of processes killed during Sign.
//
// A sender is such a process. Its fields say which bucket and database have the files.
func TestAllowanceOfProcessesThatAreKilled(t *testing.T) {
	testserver.Slow(t)
	t.Run("a directory", func(t *testing.T) {
		testKilledSenders(t, &sender{Tickets: t.TempDir(), Directory: t.TempDir()})
	})
	t.Run("a directory and SQLite", func(t *testing.T) {
		testKilledSenders(t, &sender{Tickets: t.TempDir(), Directory: t.TempDir(), Database: createSQLite(t)})
	})
	t.Run("the S3 server", func(t *testing.T) {
		server, err := s3server.Start(s3server.Config{Buckets: []string{"files"}})
		require.NoError(t, err)
		t.Cleanup(server.Close)
		testKilledSenders(t, &sender{Tickets: t.TempDir(), URL: server.URL})
	})
}

// testKilledSenders kills many processes with the settings of s, ends their uploads as clients do, and requires the
// exact usage.
func testKilledSenders(t *testing.T, s *sender) {
	t.Helper()
	service, bucket, closeAll, err := s.service(t.Context())
	require.NoError(t, err)
	defer func() {
		require.NoError(t, closeAll())
	}()
	defer func() {
		if t.Failed() {
			logLedgers(t, bucket)
		}
	}()

	kills := testserver.Sample(48, 720)
	s.killMany(t, kills)
	s.endOpen(t, service)

	// Sweep frees what the killed processes have reserved, except for the lost tickets.
	isFreed := func() bool {
		_, err := service.Sweep(t.Context())
		require.NoError(t, err)
		usage, err := service.Usage(t.Context(), eva.ID)
		require.NoError(t, err)
		require.True(t, isAllowed(usage), "%+v", usage)
		lost := s.lostTickets(t, bucket)
		return usage.ReservedBytes == lost.ReservedBytes && usage.ReservedFiles == lost.ReservedFiles
	}
	require.Eventually(t, isFreed, 20*time.Second, sendersGrace/2, "something stays reserved")

	// The usage is that of the stored files and the lost tickets.
	files, err := storedBy(t.Context(), service, bucket)
	require.NoError(t, err)
	want := s.lostTickets(t, bucket)
	want.Files = int64(len(files))
	for _, f := range files {
		want.Bytes += f.Size
	}
	t.Logf("%d kills; %d files, %d lost tickets", kills, want.Files, want.ReservedFiles)
	usage, err := service.Usage(t.Context(), eva.ID)
	require.NoError(t, err)
	require.Equal(t, want, usage)
}

// ledgerPrefix is the prefix of the objects in which a service without a database counts the usage.
const ledgerPrefix = ".uploads-usage/"

// logLedgers logs the objects that count the usage.
func logLedgers(t *testing.T, bucket storage.Bucket) {
	t.Helper()
	for entry, err := range bucket.List(t.Context(), storage.WithPrefix(ledgerPrefix)) {
		require.NoError(t, err)
		text, _, err := storage.ReadAll(t.Context(), bucket, entry.Key)
		require.NoError(t, err)
		t.Log(string(text))
	}
}

// lostTickets returns what is reserved by tickets that no client has got, because the process was killed during Sign.
func (s *sender) lostTickets(t *testing.T, bucket storage.Bucket) (lost uploads.Usage) {
	t.Helper()
	knownIDs := s.ticketIDs(t)
	for entry, err := range bucket.List(t.Context(), storage.WithPrefix(ledgerPrefix)) {
		require.NoError(t, err)
		text, _, err := storage.ReadAll(t.Context(), bucket, entry.Key)
		require.NoError(t, err)
		var ledger struct {
			Entries map[string]struct {
				Bytes, Files int64
				Session      string
				Until        time.Time
			}
		}
		require.NoError(t, json.Unmarshal(text, &ledger))
		for id, e := range ledger.Entries {
			isTicket := e.Session == "" && time.Until(e.Until) > 24*time.Hour
			if isTicket && !knownIDs[id] {
				lost.ReservedBytes += e.Bytes
				lost.ReservedFiles += e.Files
			}
		}
	}
	return lost
}

// ticketIDs returns the IDs of the tickets that clients have got.
func (s *sender) ticketIDs(t *testing.T) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	entries, err := os.ReadDir(s.Tickets)
	require.NoError(t, err)
	for _, entry := range entries {
		token, err := os.ReadFile(filepath.Join(s.Tickets, entry.Name()))
		require.NoError(t, err)
		payload, _, _ := strings.Cut(string(token), ".")
		text, err := base64.RawURLEncoding.DecodeString(payload)
		var ticket struct{ Random string }
		if err == nil && json.Unmarshal(text, &ticket) == nil {
			ids[ticket.Random] = true
		}
	}
	return ids
}

// killMany runs this number of senders, some at the same time, and kills each after a moment.
func (s *sender) killMany(t *testing.T, kills int) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	var next atomic.Int64
	var slots sync.WaitGroup
	for range senders {
		slots.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(kills) {
					return
				}
				s.kill(t, program, uint64(n))
			}
		})
	}
	slots.Wait()
}

// kill runs one sender until it is killed.
func (s *sender) kill(t *testing.T, program string, seed uint64) {
	one := *s
	one.Seed = seed
	text, err := json.Marshal(one)
	if err != nil {
		t.Error(err)
		return
	}
	life := time.Duration(300+rand.New(rand.NewPCG(seed, 2)).IntN(3000)) * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), life)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), senderVariable+"="+string(text))
	var messages bytes.Buffer
	cmd.Stderr = &messages
	err = cmd.Run() // ends with a kill
	if ctx.Err() == nil {
		t.Errorf("sender %d: %v: %s", seed, err, messages.String())
	}
}

// endOpen does what the clients of killed processes do: it finishes some tickets, cancels the others, and sends pieces
// again.
func (s *sender) endOpen(t *testing.T, service *uploads.Service) {
	t.Helper()
	entries, err := os.ReadDir(s.Tickets)
	require.NoError(t, err)
	for i, entry := range entries {
		token, err := os.ReadFile(filepath.Join(s.Tickets, entry.Name()))
		require.NoError(t, err)
		if strings.HasPrefix(entry.Name(), "pieces-") {
			const sizeForLittleRoom = 1
			putPieces(t.Context(), service, string(token), sizeForLittleRoom)
		} else if i%2 == 0 {
			_, _ = service.Finish(t.Context(), string(token), eva)
		}
		if strings.HasPrefix(entry.Name(), "ticket-") {
			err := service.Cancel(t.Context(), string(token), eva)
			if code := uploads.CodeOf(err); code != "" && code != uploads.Completed && code != uploads.NotFound {
				require.NoError(t, err)
			}
		}
	}
}
