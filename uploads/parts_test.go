package uploads_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
)

// fileOf returns a file that begins so and takes three parts.
func (b partStore) fileOf(begin string) string {
	n := 2*b.part + b.part/2
	return begin + strings.Repeat("x", int(n)-len(begin))
}

// sign returns a ticket in three parts.
func (b partStore) sign(t *testing.T, s *uploads.Service) *uploads.Ticket {
	t.Helper()
	ticket, err := s.Sign(t.Context(), uploads.Request{Name: "a/me.gif", Size: int64(len(b.fileOf("")))}, me)
	require.NoError(t, err)
	require.Nil(t, ticket.Put)
	require.Nil(t, ticket.Form)
	require.Equal(t, &uploads.Parts{Size: b.part, Count: 3}, ticket.Parts)
	return ticket
}

// bytesOf returns the bytes of a part.
func bytesOf(ticket *uploads.Ticket, number int, content string) string {
	from := int64(number-1) * ticket.Parts.Size
	return content[from:min(from+ticket.Parts.Size, int64(len(content)))]
}

// sendPart sends these bytes as a part, and returns the status. A store that refuses a part may
// close the connection before it has read all of it.
func sendPart(t *testing.T, s *uploads.Service, ticket *uploads.Ticket, number int, content string) int {
	t.Helper()
	signed, err := s.SignPart(t.Context(), ticket.Token, me, number)
	require.NoError(t, err)
	r, err := signed.Request(t.Context(), strings.NewReader(content))
	require.NoError(t, err)
	response, err := client.Do(r)
	if err != nil {
		return http.StatusBadRequest
	}
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// sendParts sends these parts of content; none: all.
func sendParts(t *testing.T, s *uploads.Service, ticket *uploads.Ticket, content string, numbers ...int) {
	t.Helper()
	if numbers == nil {
		numbers = []int{1, 2, 3}
	}
	for _, number := range numbers {
		require.Less(t, sendPart(t, s, ticket, number, bytesOf(ticket, number, content)), 300, "part %d", number)
	}
}

// refusedAs checks code and field of an error.
func refusedAs(t *testing.T, err error, code uploads.Code, field string) {
	t.Helper()
	var e *uploads.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, "%v", err)
	require.Equal(t, field, e.Field, "%v", err)
}

func TestAFileInPartsIsFinished(t *testing.T) {
	onPartStores(t, func(t *testing.T, b partStore) {
		config := uploads.Config{Key: ofMe, TokenKey: bytes.Repeat([]byte("k"), 16)}
		s := b.inParts(t, config)
		content := b.fileOf(aPNG())
		ticket := b.sign(t, s)
		require.WithinDuration(t, time.Now().Add(24*time.Hour+uploads.DefaultUploadTTL), ticket.ExpiresAt, time.Minute)
		there, err := s.StoredParts(t.Context(), ticket.Token, me)
		require.NoError(t, err)
		require.Empty(t, there)
		_, err = s.Finish(t.Context(), ticket.Token, me)
		refusedAs(t, err, uploads.NotUploaded, "parts")

		sendParts(t, s, ticket, b.fileOf(aGIF(3, 2)), 3, 1)
		s = b.inParts(t, config) // another process continues
		there, err = s.StoredParts(t.Context(), ticket.Token, me)
		require.NoError(t, err)
		require.Equal(t, []int{1, 3}, there)
		_, err = s.Finish(t.Context(), ticket.Token, me)
		refusedAs(t, err, uploads.NotUploaded, "parts")
		require.ErrorContains(t, err, "Part 2 of 3")
		require.Empty(t, keys(t, b.bucket))
		sendParts(t, s, ticket, content, 2, 1) // the last one counts

		r, err := s.Finish(t.Context(), ticket.Token, me)
		require.NoError(t, err)
		require.Regexp(t, `^users/42/[a-z2-7]{26}\.png$`, r.Key, "by its content")
		require.Equal(t, "me.gif", r.Name)
		require.Equal(t, int64(len(content)), r.Size)
		require.Equal(t, []string{r.Key}, keys(t, b.bucket))
		b.noUploads(t)
		data, attrs, err := storage.ReadAll(t.Context(), b.bucket, r.Key)
		require.NoError(t, err)
		require.True(t, content == string(data))
		require.Equal(t, "image/png", attrs.ContentType)
		require.Equal(t, "private, max-age=31536000, immutable", attrs.CacheControl)
		require.Empty(t, attrs.Metadata)

		again, err := s.Finish(t.Context(), ticket.Token, me)
		require.NoError(t, err, "a client that lost the answer asks again")
		require.Equal(t, r.Key, again.Key)
		_, err = s.StoredParts(t.Context(), ticket.Token, me)
		refusedAs(t, err, uploads.NotFound, "token")
		refusedAs(t, s.Abort(t.Context(), ticket.Token, me), uploads.Completed, "token")
		require.Equal(t, []string{r.Key}, keys(t, b.bucket), "it was finished before")
		sendPart(t, s, ticket, 1, bytesOf(ticket, 1, b.fileOf(aGIF(3, 2)))) // some stores cannot tell that the upload is completed
		again, err = s.Finish(t.Context(), ticket.Token, me)
		require.NoError(t, err)
		require.Equal(t, r.Key, again.Key)
		data, _, err = storage.ReadAll(t.Context(), b.bucket, r.Key)
		require.NoError(t, err)
		require.True(t, content == string(data))

		require.NoError(t, s.Delete(t.Context(), r.Key, me))
		_, err = s.Finish(t.Context(), ticket.Token, me)
		refusedAs(t, err, uploads.NotFound, "token")
		require.NoError(t, s.Abort(t.Context(), ticket.Token, me))
		require.Empty(t, keys(t, b.bucket))
	})
}

func TestAFileInPartsThatBreaksARuleIsRemoved(t *testing.T) {
	onPartStores(t, func(t *testing.T, b partStore) {
		s := b.inParts(t, uploads.Config{Key: ofMe})
		for _, row := range []struct {
			name, begin string
			code        uploads.Code
		}{
			{"a page", aPage, uploads.TypeNotAllowed},
			{"a bomb", aPNGOf(60000, 60000), uploads.TooManyPixels},
			{"half a picture's header", aPNG()[:20], uploads.Damaged},
		} {
			t.Run(row.name, func(t *testing.T) {
				ticket := b.sign(t, s)
				sendParts(t, s, ticket, b.fileOf(row.begin))
				_, err := s.Finish(t.Context(), ticket.Token, me)
				refusedAs(t, err, row.code, "file")
				b.empty(t)
				_, err = s.Finish(t.Context(), ticket.Token, me)
				refusedAs(t, err, uploads.NotFound, "token")
			})
		}
	})
}

func TestPartsAreInspectedBeforeTheFileAppears(t *testing.T) {
	var b partStore
	var inspected []string
	b = partStore{inMemory(t, storage.WithHook(func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Name == "Download" {
			inspected = append(inspected, op.Key)
			require.NotContains(t, strings.Join(keys(t, b.bucket), " "), "users/")
			return ctx, nil, storage.Unavailable
		}
		return ctx, nil, nil
	})), smallPart}
	s := b.inParts(t, uploads.Config{Key: ofMe})
	ticket := b.sign(t, s)
	sendParts(t, s, ticket, b.fileOf(aPNG()))
	_, err := s.Finish(t.Context(), ticket.Token, me)
	refusedAs(t, err, uploads.StoreFailed, "file")
	require.Len(t, inspected, 1)
	require.Regexp(t, "^[.]uploads/", inspected[0])
}

func TestAPartOfAWrongLengthEndsTheUpload(t *testing.T) {
	wrong := func(t *testing.T, b partStore, length int64, number int) {
		s := b.inParts(t, uploads.Config{Key: ofMe})
		ticket := b.sign(t, s)
		content := b.fileOf(aPNG())
		var others []int
		for n := range 3 {
			if n+1 != number {
				others = append(others, n+1)
			}
		}
		sendParts(t, s, ticket, content, others...)
		status := sendPart(t, s, ticket, number, strings.Repeat("x", int(length)))
		there, err := s.StoredParts(t.Context(), ticket.Token, me)
		require.NoError(t, err)
		require.Equal(t, others, there, "a client would send it again")
		_, err = s.Finish(t.Context(), ticket.Token, me)
		if status >= 300 {
			refusedAs(t, err, uploads.NotUploaded, "parts")
			sendParts(t, s, ticket, content, number)
			_, err = s.Finish(t.Context(), ticket.Token, me)
			require.NoError(t, err)
			return
		}
		refusedAs(t, err, uploads.WrongSize, "parts")
		require.ErrorContains(t, err, fmt.Sprintf("Part %d has %d bytes", number, length))
		b.empty(t)
		_, err = s.Finish(t.Context(), ticket.Token, me)
		refusedAs(t, err, uploads.NotFound, "token")
	}
	rows := []struct {
		name   string
		number int
		more   int64
	}{{"shorter", 1, -1}, {"longer", 1, 1}, {"a longer last one", 3, 1}}
	onPartStores(t, func(t *testing.T, b partStore) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				wrong(t, b, lengthOf(b, row.number)+row.more, row.number)
			})
		}
	})
	t.Run("a store that enforces no length", func(t *testing.T) {
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				b := partStore{inMemory(t, driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.SignedSize}))), smallPart}
				wrong(t, b, lengthOf(b, row.number)+row.more, row.number)
			})
		}
	})
}

// lengthOf returns the length that a part must have.
func lengthOf(b partStore, number int) int64 {
	if number == 3 {
		return b.part / 2
	}
	return b.part
}

func TestPartsOfAnotherTicketDoNotCount(t *testing.T) {
	onPartStores(t, func(t *testing.T, b partStore) {
		s := b.inParts(t, uploads.Config{Key: ofMe})
		mine, other := b.sign(t, s), b.sign(t, s)
		sendParts(t, s, mine, b.fileOf(aPNG()))
		sendParts(t, s, other, b.fileOf(aPNG()), 1, 2)
		_, err := s.Finish(t.Context(), other.Token, me)
		refusedAs(t, err, uploads.NotUploaded, "parts")
		require.NoError(t, s.Abort(t.Context(), other.Token, me))
		_, err = s.Finish(t.Context(), mine.Token, me)
		require.NoError(t, err)
		require.Len(t, keys(t, b.bucket), 1)
		b.noUploads(t)
	})
}

func TestAnAbortedUploadIsGone(t *testing.T) {
	onPartStores(t, func(t *testing.T, b partStore) {
		s := b.inParts(t, uploads.Config{Key: ofMe})
		ticket := b.sign(t, s)
		sendParts(t, s, ticket, b.fileOf(aPNG()), 1, 2)
		for range 2 {
			require.NoError(t, s.Abort(t.Context(), ticket.Token, me))
			b.empty(t)
		}
		sendPart(t, s, ticket, 3, bytesOf(ticket, 3, b.fileOf(aPNG()))) // some stores cannot tell that the upload is gone
		require.Empty(t, keys(t, b.bucket))
		_, err := s.Finish(t.Context(), ticket.Token, me)
		refusedAs(t, err, uploads.NotFound, "token")
		_, err = s.StoredParts(t.Context(), ticket.Token, me)
		refusedAs(t, err, uploads.NotFound, "token")
	})
}

func TestFinishingPartsAtOnceMakesOneFile(t *testing.T) {
	onPartStores(t, func(t *testing.T, b partStore) {
		s := b.inParts(t, uploads.Config{Key: ofMe})
		ticket := b.sign(t, s)
		sendParts(t, s, ticket, b.fileOf(aPNG()))
		var group sync.WaitGroup
		results, errs := make([]*uploads.File, 4), make([]error, 4)
		for i := range results {
			group.Go(func() { results[i], errs[i] = s.Finish(t.Context(), ticket.Token, me) })
		}
		group.Wait()
		for i := range results {
			require.NoError(t, errs[i])
			require.Equal(t, results[0].Key, results[i].Key)
		}
		require.Equal(t, []string{results[0].Key}, keys(t, b.bucket))
		b.noUploads(t)
	})
}

// fake-gcs-server fails with 500 if another call removes the parts while it joins them.
func TestFinishFindsTheFileOfAnotherCallIfJoiningFails(t *testing.T) {
	for _, row := range []struct {
		name      string
		meanwhile bool
		code      uploads.Code
	}{{"the other call was first", true, ""}, {"there is no other call", false, uploads.StoreFailed}} {
		t.Run(row.name, func(t *testing.T) {
			var other func()
			b := partStore{inMemory(t, storage.WithRetry(storage.RetryPolicy{Attempts: 1}), driver.WithLayer(func(next driver.Driver) driver.Driver {
				return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
					if call != "CompleteParts" || other == nil {
						return next(ctx)
					}
					do := other
					other = nil
					do()
					return &storage.Error{Code: storage.Unavailable, Unknown: true}
				})
			})), smallPart}
			s := b.inParts(t, uploads.Config{Key: ofMe})
			ticket := b.sign(t, s)
			sendParts(t, s, ticket, b.fileOf(aPNG()))
			other = func() {
				if row.meanwhile {
					_, err := s.Finish(t.Context(), ticket.Token, me)
					require.NoError(t, err)
				}
			}
			_, err := s.Finish(t.Context(), ticket.Token, me)
			require.Equal(t, row.code, uploads.CodeOf(err), "%v", err)
			_, err = s.Finish(t.Context(), ticket.Token, me)
			require.NoError(t, err)
			require.Len(t, keys(t, b.bucket), 1)
		})
	}
}

func TestATicketInPartsIsValidForOneUserPlaceAndTime(t *testing.T) {
	b := partStore{inMemory(t), smallPart}
	now := time.Now()
	config := uploads.Config{Key: ofMe, TokenKey: bytes.Repeat([]byte("k"), 16), Now: func() time.Time { return now }}
	s := b.inParts(t, config)
	ticket := b.sign(t, s)
	content := b.fileOf(aPNG())
	sendParts(t, s, ticket, content, 1, 2)
	whole, err := b.inParts(t, uploads.Config{Key: ofMe, TokenKey: config.TokenKey, PartsFrom: -1}).Sign(t.Context(), uploads.Request{Size: 9}, me)
	require.NoError(t, err)

	otherKey, otherPlace := config, config
	otherKey.TokenKey = bytes.Repeat([]byte("x"), 16)
	otherPlace.Key = "documents/{user}/{random}{ext}"
	changed := []byte(ticket.Token)
	changed[len(changed)/2] ^= 1
	expired := config
	expired.Now = func() time.Time { return now.Add(24*time.Hour + uploads.DefaultUploadTTL + 2*time.Second) }
	// A version that says what follows is another thing.
	raw, err := base64.RawURLEncoding.DecodeString(ticket.Token)
	require.NoError(t, err)
	raw[0] = 1
	for _, row := range []struct {
		name   string
		bucket storage.Bucket
		with   uploads.Config
		token  string
		values uploads.User
		code   uploads.Code
		field  string
	}{
		{"another user", b.bucket, config, ticket.Token, uploads.User{ID: "43"}, uploads.NotFound, "token"},
		{"no user", b.bucket, config, ticket.Token, uploads.User{}, uploads.InvalidValue, "user"},
		{"another key", b.bucket, otherKey, ticket.Token, me, uploads.NotFound, "token"},
		{"another place", b.bucket, otherPlace, ticket.Token, me, uploads.NotFound, "token"},
		{"another bucket", inMemory(t), config, ticket.Token, me, uploads.NotFound, "token"},
		{"a changed token", b.bucket, config, string(changed), me, uploads.NotFound, "token"},
		{"another version", b.bucket, config, base64.RawURLEncoding.EncodeToString(raw), me, uploads.NotFound, "token"},
		{"a token cut short", b.bucket, config, ticket.Token[:100], me, uploads.NotFound, "token"},
		{"an expired ticket", b.bucket, expired, ticket.Token, me, uploads.NotFound, "token"},
		{"a ticket for one request", b.bucket, config, whole.Token, me, uploads.InvalidValue, "token"},
	} {
		t.Run(row.name, func(t *testing.T) {
			with := partStore{row.bucket, smallPart}.inParts(t, row.with)
			_, err := with.SignPart(t.Context(), row.token, row.values, 3)
			refusedAs(t, err, row.code, row.field)
			_, err = with.StoredParts(t.Context(), row.token, row.values)
			refusedAs(t, err, row.code, row.field)
			refusedAs(t, with.Abort(t.Context(), row.token, row.values), row.code, row.field)
			if row.token != whole.Token {
				_, err = with.Finish(t.Context(), row.token, row.values)
				refusedAs(t, err, row.code, row.field)
			}
		})
	}
	for _, number := range []int{-1, 0, 4, 10_001} {
		_, err := s.SignPart(t.Context(), ticket.Token, me, number)
		refusedAs(t, err, uploads.InvalidValue, "number")
	}
	sendParts(t, s, ticket, content, 3)
	_, err = s.Finish(t.Context(), ticket.Token, me)
	require.NoError(t, err, "nothing of this touched the upload")
}

func TestASignedPartExpiresWithItsTicket(t *testing.T) {
	b := partStore{inMemory(t), smallPart}
	issued := time.Now()
	now := issued
	s := b.inParts(t, uploads.Config{Key: ofMe, UploadTTL: time.Hour, Now: func() time.Time { return now }})
	ticket := b.sign(t, s)
	signed, err := s.SignPart(t.Context(), ticket.Token, me, 1)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(time.Hour), signed.ExpiresAt, time.Minute)
	now = issued.Add(24*time.Hour + 30*time.Minute)
	signed, err = s.SignPart(t.Context(), ticket.Token, me, 1)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(30*time.Minute), signed.ExpiresAt, time.Minute)
	now = ticket.ExpiresAt
	_, err = s.SignPart(t.Context(), ticket.Token, me, 1)
	refusedAs(t, err, uploads.NotFound, "token")
}

func TestATokenInPartsHidesThatOfTheStore(t *testing.T) {
	b := partStore{inMemory(t), smallPart}
	s := b.inParts(t, uploads.Config{Key: ofMe})
	ticket := b.sign(t, s)
	secret, err := s.StoreToken(ticket.Token, me)
	require.NoError(t, err)
	_, err = storage.ContinueUpload(t.Context(), b.bucket, secret)
	require.NoError(t, err)
	raw, err := base64.RawURLEncoding.DecodeString(ticket.Token)
	require.NoError(t, err)
	inner, err := base64.RawURLEncoding.DecodeString(secret)
	require.NoError(t, err)
	for _, text := range []string{ticket.Token, string(raw)} {
		for at := 0; at+12 <= len(secret); at += 4 {
			require.NotContains(t, text, secret[at:at+12])
		}
		for at := 0; at+8 <= len(inner); at++ {
			require.NotContains(t, text, string(inner[at:at+8]))
		}
	}
	require.NotContains(t, fmt.Sprint(ticket)+fmt.Sprintf("%+v %#v", *ticket, *ticket), ticket.Token)
	require.Equal(t, "ticket for 3 parts", ticket.String())
}

func TestLargeFilesAreSentInParts(t *testing.T) {
	unsigned := inMemory(t, driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.SignedParts})))
	for _, row := range []struct {
		name   string
		bucket storage.Bucket
		config uploads.Config
		size   int64
		parts  *uploads.Parts
	}{
		{"by default", inMemory(t), uploads.Config{}, 100 << 20, &uploads.Parts{Size: 8 << 20, Count: 13}},
		{"with a part more", inMemory(t), uploads.Config{}, 104<<20 + 1, &uploads.Parts{Size: 8 << 20, Count: 14}},
		{"of more than 5 GiB", inMemory(t), uploads.Config{}, 20 << 30, &uploads.Parts{Size: 8 << 20, Count: 2560}},
		{"where parts are few", inMemory(t, driver.WithLayer(faults.WithLimits(faults.Limits{MaxParts: 100}))), uploads.Config{}, 20 << 30, &uploads.Parts{Size: 205 << 20, Count: 100}},
		{"below the limit", inMemory(t), uploads.Config{}, 100<<20 - 1, nil},
		{"of unknown size", inMemory(t), uploads.Config{PartsFrom: 1}, 0, nil},
		{"of one byte, if that is asked for", inMemory(t), uploads.Config{PartsFrom: 1}, 1, &uploads.Parts{Size: 8 << 20, Count: 1}},
		{"never, if that is asked for", inMemory(t), uploads.Config{PartsFrom: -1}, 20 << 30, nil},
		{"to a store that signs no parts", unsigned, uploads.Config{}, 1 << 30, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.config.Rules.MaxSize = 1 << 40
			ticket, err := newService(t, row.bucket, row.config).Sign(t.Context(), uploads.Request{Size: row.size}, uploads.User{})
			require.NoError(t, err)
			require.Equal(t, row.parts, ticket.Parts)
			require.Equal(t, row.parts == nil, ticket.Put != nil || ticket.Form != nil)
		})
	}
}

func TestATicketInPartsThatCannotBeSignedLeavesNothing(t *testing.T) {
	b := partStore{inMemory(t, driver.WithLayer(func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == "SignPart" {
				return &storage.Error{Code: storage.Unauthenticated}
			}
			return next(ctx)
		})
	})), smallPart}
	_, err := b.inParts(t, uploads.Config{}).Sign(t.Context(), uploads.Request{Size: 100}, uploads.User{})
	refusedAs(t, err, uploads.StoreFailed, "file")
	b.empty(t)
}

func TestAStoreThatFailsLosesNoParts(t *testing.T) {
	var refuse string
	b := partStore{inMemory(t, storage.WithHook(func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Name == refuse {
			return ctx, nil, storage.Unavailable
		}
		return ctx, nil, nil
	})), smallPart}
	s := b.inParts(t, uploads.Config{Key: ofMe})
	ticket := b.sign(t, s)
	sendParts(t, s, ticket, b.fileOf(aPNG()))
	for _, refuse = range []string{"Parts", "CompleteUpload", "Download", "Copy"} {
		_, err := s.Finish(t.Context(), ticket.Token, me)
		refusedAs(t, err, uploads.StoreFailed, "file")
	}
	refuse = ""
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Finish(canceled, ticket.Token, me)
	refusedAs(t, err, uploads.Interrupted, "file")
	_, err = s.Finish(t.Context(), ticket.Token, me)
	require.NoError(t, err)
	require.Len(t, keys(t, b.bucket), 1)
}

func TestAbortRemovesAFileThatCouldNotBeFinished(t *testing.T) {
	refuse := "Copy"
	b := partStore{inMemory(t, storage.WithHook(func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Name == refuse {
			return ctx, nil, storage.Unavailable
		}
		return ctx, nil, nil
	})), smallPart}
	s := b.inParts(t, uploads.Config{Key: ofMe})
	ticket := b.sign(t, s)
	sendParts(t, s, ticket, b.fileOf(aPNG()))
	_, err := s.Finish(t.Context(), ticket.Token, me)
	refusedAs(t, err, uploads.StoreFailed, "file")
	require.Len(t, keys(t, b.bucket), 1)
	require.NoError(t, s.Abort(t.Context(), ticket.Token, me))
	b.empty(t)
	refuse = ""
	_, err = s.Finish(t.Context(), ticket.Token, me)
	refusedAs(t, err, uploads.NotFound, "token")
}

func TestPartsOnAStoreThatMayOverwrite(t *testing.T) {
	b := partStore{inMemory(t, driver.WithLayer(func(d driver.Driver) driver.Driver { return overwriting{d} })), smallPart}
	s := b.inParts(t, uploads.Config{Key: ofMe, Unguarded: true})
	ticket := b.sign(t, s)
	sendParts(t, s, ticket, b.fileOf(aPNG()))
	r, err := s.Finish(t.Context(), ticket.Token, me)
	require.NoError(t, err)
	again, err := s.Finish(t.Context(), ticket.Token, me)
	require.NoError(t, err)
	require.Equal(t, r.Key, again.Key)
	require.Equal(t, []string{r.Key}, keys(t, b.bucket))
}

func TestATypeOfYourOwnTakesNoParts(t *testing.T) {
	s := newService(t, wrapped{memstore.New(storage.WithSigningBaseURL("https://example.com"))}, uploads.Config{Unguarded: true, PartsFrom: 1})
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: 100}, uploads.User{})
	require.NoError(t, err)
	require.Nil(t, ticket.Parts)
	require.NotNil(t, ticket.Put)
}

func TestANarrowedBucketTakesParts(t *testing.T) {
	whole := inMemory(t)
	narrow := storage.Ref[storage.Bucket](storage.Prefixed(whole, "tenants/7/"))
	s := newService(t, narrow, uploads.Config{Key: ofMe, PartsFrom: 1})
	s.SetBasePart(smallPart)
	b := partStore{whole, smallPart}
	ticket := b.sign(t, s)
	sendParts(t, s, ticket, b.fileOf(aPNG()))
	r, err := s.Finish(t.Context(), ticket.Token, me)
	require.NoError(t, err)
	require.Equal(t, []string{"tenants/7/" + r.Key}, keys(t, whole))
}
