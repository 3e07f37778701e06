package uploads_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// piece is the number of a piece.
type piece int

// of returns this piece of a file of alice that has count pieces. The token is that of most tests.
func (number piece) of(count int, body string) uploads.Piece {
	return uploads.Piece{
		Token:  "token",
		Count:  count,
		Number: int(number),
		Body:   strings.NewReader(body),
		User:   uploads.User{ID: alice},
		Name:   "note.txt",
		Type:   "text/plain",
	}
}

// newPieceService returns a service that takes any file.
func newPieceService(t *testing.T, bucket storage.Bucket, c uploads.Config) *uploads.Service {
	t.Helper()
	c.Rules = rules.Any(c.Rules.MaxSize)
	c.Key = "{user}/{random}{ext}"
	s, err := uploads.New(bucket, c)
	require.NoError(t, err)
	return s
}

// Many services that get the last piece at the same time make one file, and all return it.
func TestPutPieceRaceOfServices(t *testing.T) {
	const racers = 32
	runOnStores(t, func(t *testing.T, open opener) {
		bucket := open(t)
		first := newPieceService(t, bucket, uploads.Config{})

		// Two of three pieces are stored.
		for number := 1; number <= 2; number++ {
			f, err := first.PutPiece(t.Context(), piece(number).of(3, fmt.Sprint(number)))
			require.NoError(t, err)
			require.Nil(t, f)
		}

		// Many services get the last piece at the same time.
		files := make([]*uploads.File, racers)
		errs := make([]error, racers)
		var wg sync.WaitGroup
		for i := range racers {
			racer := newPieceService(t, bucket, uploads.Config{})
			wg.Go(func() {
				files[i], errs[i] = racer.PutPiece(t.Context(), piece(3).of(3, "3"))
			})
		}
		wg.Wait()

		// All return the same file. Those that begin after the file was made also return Completed.
		for i, f := range files {
			if uploads.CodeOf(errs[i]) != uploads.Completed {
				require.NoError(t, errs[i])
			}
			require.Equal(t, files[0].Key, f.Key)
			require.EqualValues(t, 3, f.Size)
		}

		// The file has all pieces.
		require.Regexp(t, `^alice/[a-z2-7]{26}\.txt$`, files[0].Key)
		data, _, err := storage.ReadAll(t.Context(), bucket, files[0].Key)
		require.NoError(t, err)
		require.Equal(t, "123", string(data))
	})
}

// A process is killed in PutPiece, at each of its calls to the store in turn. PutPiece of another process then returns
// the file, and Config.Stored was called for that file.
func TestPutPieceSurvivesKills(t *testing.T) {
	for _, afterCall := range []bool{killBefore, killAfter} {
		t.Run(fmt.Sprintf("after the call: %v", afterCall), func(t *testing.T) {
			// Kill the process at call 1, 2 and so on, until a PutPiece ends before that call.
			lastCall := 0
			for call, killer := range killAtEachCall(t, afterCall) {
				lastCall = call
				drv := memstore.NewDriver(memstore.Config{})
				var stored []*uploads.File
				c := uploads.Config{Stored: appendTo(&stored)}

				// One process takes the first of two pieces, and another one is killed while it takes the last piece.
				s := newPieceService(t, engine.New(drv), c)
				_, err := s.PutPiece(t.Context(), piece(1).of(2, "a"))
				require.NoError(t, err)
				_, _ = newKilledPieceService(t, drv, killer, c).PutPiece(t.Context(), piece(2).of(2, "b"))

				// The client sends the last piece again, and the service does not wait for the dead process.
				s.SetWait(func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
				f, err := s.PutPiece(t.Context(), piece(2).of(2, "b"))
				if err != nil {
					require.Equal(t, uploads.Completed, uploads.CodeOf(err), "call %d: %v", call, err)
				}

				// The file has both pieces, and Stored was called for no other file.
				data, _, err := storage.ReadAll(t.Context(), engine.New(drv), f.Key)
				require.NoError(t, err)
				require.Equal(t, "ab", string(data))
				require.NotEmpty(t, stored, "call %d", call)
				for _, storedFile := range stored {
					require.Equal(t, f.Key, storedFile.Key, "call %d", call)
				}
			}
			const fewCalls = 5
			require.Greater(t, lastCall, fewCalls, "PutPiece makes more calls, so the process was not always killed")
		})
	}
}

// newKilledPieceService returns the service of another process on the same store. The killer ends that process at
// one of its calls to the store.
func newKilledPieceService(
	t *testing.T, drv driver.Driver, killer *processKiller, c uploads.Config,
) *uploads.Service {
	t.Helper()
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	return newPieceService(t, engine.New(drv, driver.WithLayer(killer.layer), noRetry), c)
}

// A proxy ends each request after a minute, and a process was killed while it made a file. Then a client must repeat
// its request only once: the first request ends before the claim of the dead process does, and the second one succeeds.
func TestPutPieceSurvivesKillBehindProxy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The process is killed just after it has claimed the upload, which is its sixth call to the store.
		const claimingCall = 6
		drv := memstore.NewDriver(memstore.Config{})
		killer := &processKiller{atCall: claimingCall, afterCall: true}
		killed := newKilledPieceService(t, drv, killer, uploads.Config{})
		_, err := killed.PutPiece(t.Context(), piece(1).of(1, "x"))
		require.ErrorIs(t, err, errDead)

		// Another process serves the client behind the proxy.
		s := newPieceService(t, engine.New(drv), uploads.Config{})
		putBehindProxy := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := s.PutPiece(ctx, piece(1).of(1, "x"))
			return err
		}
		require.Error(t, putBehindProxy(), "the claim of the dead process has ended too early")
		require.NoError(t, putBehindProxy())
	})
}

// Sweep removes an upload once nothing has arrived for Config.TTL, and its token can then be used again.
func TestSweepRemovesIdlePieces(t *testing.T) {
	clk := &clock{}
	bucket := engine.New(memstore.NewDriver(memstore.Config{Now: clk.Now}))
	s := newPieceService(t, bucket, uploads.Config{TTL: time.Hour, Now: clk.Now})

	// Two of three pieces arrive. Although the upload is older than its TTL in the end, each piece has renewed it.
	const lessThanTTL = 50 * time.Minute
	for number := 1; number <= 2; number++ {
		_, err := s.PutPiece(t.Context(), piece(number).of(3, "x"))
		require.NoError(t, err)
		clk.Advance(lessThanTTL)
		report, err := s.Sweep(t.Context())
		require.NoError(t, err)
		require.Zero(t, report.Uploads)
	}

	// The TTL passes since the second piece.
	clk.Advance(time.Hour + time.Minute - lessThanTTL)
	report, err := s.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, report.Uploads)

	// With the same token, the client can now send another file, which has only one piece.
	f, err := s.PutPiece(t.Context(), piece(1).of(1, "new"))
	require.NoError(t, err)
	require.EqualValues(t, len("new"), f.Size)
}

// PutPiece refuses invalid pieces, and those that contradict the ones before. What is refused changes nothing.
func TestPutPieceRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(p *uploads.Piece)
		want   string // field and code of the error
	}{
		// Invalid pieces.
		{
			name: "no token",
			change: func(p *uploads.Piece) {
				p.Token = ""
			},
			want: "token invalid_value",
		},
		{
			name: "a long token",
			change: func(p *uploads.Piece) {
				p.Token = strings.Repeat("x", 129)
			},
			want: "token invalid_value",
		},
		{
			name: "no pieces",
			change: func(p *uploads.Piece) {
				p.Count = 0
			},
			want: "count invalid_value",
		},
		{
			name: "too many pieces",
			change: func(p *uploads.Piece) {
				p.Count = 10_001
			},
			want: "count invalid_value",
		},
		{
			name: "a piece after the last",
			change: func(p *uploads.Piece) {
				p.Number = 3
			},
			want: "part invalid_value",
		},
		{
			name: "no body",
			change: func(p *uploads.Piece) {
				p.Body = nil
			},
			want: "file no_file",
		},
		{
			name: "a name that is not text",
			change: func(p *uploads.Piece) {
				p.Name = "\xff"
			},
			want: "metadata invalid_value",
		},
		{
			name: "metadata that is not text",
			change: func(p *uploads.Piece) {
				p.Metadata = map[string]string{"a": "\xff"}
			},
			want: "metadata invalid_value",
		},
		{
			name: "too much metadata",
			change: func(p *uploads.Piece) {
				p.Metadata = map[string]string{"a": strings.Repeat("x", 8<<10)}
			},
			want: "metadata invalid_value",
		},
		{
			name: "a key",
			change: func(p *uploads.Piece) {
				p.Target = &uploads.Target{Key: "mine"}
			},
			want: "key invalid_value",
		},
		{
			name: "no user",
			change: func(p *uploads.Piece) {
				p.User = uploads.User{}
			},
			want: "user invalid_value",
		},

		// Pieces that contradict the first one.
		{
			name: "another count",
			change: func(p *uploads.Piece) {
				p.Count = 3
			},
			want: "count parts_changed",
		},
		{
			name: "another name",
			change: func(p *uploads.Piece) {
				p.Name = "b"
			},
			want: "name parts_changed",
		},
		{
			name: "another type",
			change: func(p *uploads.Piece) {
				p.Type = "b"
			},
			want: "type parts_changed",
		},
		{
			name: "other metadata",
			change: func(p *uploads.Piece) {
				p.Metadata = map[string]string{"a": "b"}
			},
			want: "metadata parts_changed",
		},

		// A piece of which not all bytes arrive.
		{
			name: "a piece that breaks off",
			change: func(p *uploads.Piece) {
				p.Body = io.MultiReader(strings.NewReader("b"), brokenBody{})
			},
			want: "file interrupted",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The first of two pieces is stored.
			s := newPieceService(t, memstore.New(), uploads.Config{})
			_, err := s.PutPiece(t.Context(), piece(1).of(2, "a"))
			require.NoError(t, err)

			// The second piece is refused because of the change.
			p := piece(2).of(2, "b")
			tt.change(&p)
			f, err := s.PutPiece(t.Context(), p)
			uploadErr, ok := errors.AsType[*uploads.Error](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, tt.want, uploadErr.Field+" "+string(uploadErr.Code))
			require.NotEmpty(t, uploadErr.Message)
			require.Nil(t, f)

			// The second piece without the change completes the file.
			f, err = s.PutPiece(t.Context(), piece(2).of(2, "b"))
			require.NoError(t, err)
			require.EqualValues(t, len("ab"), f.Size)
		})
	}
}

// A brokenBody breaks before its first byte.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("the sender went away") }

// Every PutPiece for a complete file returns the address of the file: a new signed link, or the application's own.
func TestPutPieceOfCompleteFileReturnsAddress(t *testing.T) {
	setLocation := func(_ context.Context, f *uploads.File) error {
		f.Location = "https://app.example/" + f.Name
		return nil
	}
	tests := []struct {
		name    string
		records bool // whether the service has records
		stored  func(context.Context, *uploads.File) error
		want    string // a part of the address
	}{
		{name: "a signed link", want: "http://files.example/"},
		{name: "a signed link and a record", records: true, want: "http://files.example/"},
		{name: "an address of the application", stored: setLocation, want: "https://app.example/note.txt"},
		{
			name:    "an address of the application and a record",
			records: true,
			stored:  setLocation,
			want:    "https://app.example/note.txt",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New(storage.WithSigningBaseURL("http://files.example"))
			c := uploads.Config{Rules: rules.Any(0), Link: uploads.SignedLink, Stored: tt.stored}
			if tt.records {
				c.Records = uploads.BucketRecords(bucket)
			}
			s, err := uploads.New(bucket, c)
			require.NoError(t, err)

			// The first call makes the file, and the others find it complete.
			for range 3 {
				f, err := s.PutPiece(t.Context(), piece(1).of(1, "x"))
				if uploads.CodeOf(err) != uploads.Completed {
					require.NoError(t, err)
				}
				require.Contains(t, f.Location, tt.want)

				// Only a signed link expires.
				isSigned := tt.stored == nil
				require.Equal(t, isSigned, !f.ExpiresAt.IsZero())
			}
		})
	}
}

// In a bucket without conditional updates, PutPiece works only if Config.States keeps the states of uploads elsewhere.
func TestPutPieceNeedsPlaceForStates(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ConditionalUpdate})))
	withoutStates := newPieceService(t, bucket, uploads.Config{Unguarded: true})
	_, err := withoutStates.PutPiece(t.Context(), piece(1).of(1, "x"))
	require.ErrorIs(t, err, storage.Unsupported)

	states := uploads.BucketStates(memstore.New())
	withStates := newPieceService(t, bucket, uploads.Config{Unguarded: true, States: states})
	f, err := withStates.PutPiece(t.Context(), piece(1).of(1, "x"))
	require.NoError(t, err)
	require.EqualValues(t, 1, f.Size)
}

// Users who differ in their ID or in a value of the key can use the same token for different uploads.
func TestPutPieceTokenIsOfOneUser(t *testing.T) {
	bucket := engine.New(memstore.NewDriver(memstore.Config{}))
	s, err := uploads.New(bucket, uploads.Config{Rules: rules.Any(0), Key: "{tenant}/{random}"})
	require.NoError(t, err)
	users := []uploads.User{
		{ID: alice, Values: map[string]string{"tenant": "a"}},
		{ID: alice, Values: map[string]string{"tenant": "b"}},
		{ID: mallo, Values: map[string]string{"tenant": "a"}},
		{Values: map[string]string{"tenant": "a"}},
	}
	// putPiece sends one of two pieces of users[i]. Each user has another content.
	putPiece := func(i, number int) *uploads.File {
		p := piece(number).of(2, fmt.Sprint(i))
		p.User = users[i]
		file, err := s.PutPiece(t.Context(), p)
		require.NoError(t, err, "%+v", users[i])
		return file
	}

	// All users begin their uploads before the first one completes.
	for i := range users {
		putPiece(i, 1)
	}

	// Each user gets a file, under the key of the tenant.
	for i, user := range users {
		file := putPiece(i, 2)
		require.Regexp(t, "^"+user.Values["tenant"]+"/", file.Key)
	}
}
