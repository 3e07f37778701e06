package uploads

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// The table of codes in the documentation matches the code.
func TestCodesMatchDocumentation(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	rows := map[string][2]string{}
	for _, row := range regexp.MustCompile(`(?m)^//\t([A-Z]\w+) +\S.*? (\d{3})   (.+)$`).FindAllStringSubmatch(string(doc), -1) {
		rows[row[1]] = [2]string{row[2], row[3]}
	}
	require.Len(t, rows, len(meanings))
	byStorage := map[storage.Code]string{
		storage.InvalidArgument: "InvalidArgument", storage.TooLarge: "TooLarge", storage.PermissionDenied: "PermissionDenied",
		storage.Unauthenticated: "Unauthenticated", storage.ObjectNotFound: "ObjectNotFound", storage.Internal: "Internal",
		storage.BodyFailed: "BodyFailed, Canceled", storage.Unavailable: "the store's", storage.PreconditionFailed: "PreconditionFailed",
		storage.Locked: "Locked", storage.ChecksumMismatch: "ChecksumMismatch",
	}
	require.LessOrEqual(t, len(meanings), 28, "codes that a client treats the same are one")
	for code, m := range meanings {
		var name strings.Builder
		for word := range strings.SplitSeq(string(code), "_") {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		wraps := byStorage[m.Storage]
		if code == Busy {
			wraps = "Unavailable"
		}
		require.Equal(t, [2]string{fmt.Sprint(m.Status), wraps}, rows[name.String()], name.String())
	}
}

// An uploads.Error has an uploads.Code, and also matches the storage.Code of its cause.
func TestErrorMatchesBothKindsOfCodes(t *testing.T) {
	refusal := fmt.Errorf("taking the avatar: %w", refuseFile(TooManyPixels, "The picture is too large.").about("me.png"))
	require.Equal(t, TooManyPixels, CodeOf(refusal))
	require.ErrorIs(t, refusal, storage.TooLarge)
	require.EqualError(t, refusal, "taking the avatar: uploads: file: too_many_pixels: The picture is too large.")

	cause := &storage.Error{Code: storage.RateLimited, Op: "Upload", Hint: "slow down"}
	failed := storeFailed(cause)
	require.ErrorIs(t, failed, storage.RateLimited)
	require.NotContains(t, failed.Message, "slow down", "that is not for the person")
	require.ErrorContains(t, failed, "slow down")

	gone := storeFailed(&storage.Error{Code: storage.Canceled, Err: context.Canceled})
	require.Equal(t, Interrupted, gone.Code)
	require.Equal(t, Code(""), CodeOf(errors.New("another's")))
	require.Equal(t, Code(""), CodeOf(nil))
}

// Each request has an ID, which is in the response's header, in its problem document, and in the request that
// OnError gets.
func TestRequestIDs(t *testing.T) {
	var logged string
	s, err := New(memstore.New(), Config{
		Authorize: func(r *http.Request) (User, error) { return User{}, errors.New("no database") },
		OnError: func(r *http.Request, _ error) {
			logged = r.Header.Get("X-Request-Id")
		},
	})
	require.NoError(t, err)
	for _, row := range []struct {
		name, given string
		kept        bool
	}{
		{"one of the client's", "6f1f-A.b_c", true},
		{"none", "", false},
		{"one that would begin a line of a log", "a\tlevel=error", false},
		{"one that is too long", strings.Repeat("x", 129), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			w := httptest.NewRecorder()
			r.Header.Set("X-Request-Id", row.given)
			s.ServeHTTP(w, r)
			id := w.Header().Get("X-Request-Id")
			require.NotEmpty(t, id)
			require.Equal(t, row.kept, id == row.given)
			require.Equal(t, row.given, r.Header.Get("X-Request-Id"), "the request is the caller's")
			require.Equal(t, id, logged)
			require.Contains(t, w.Body.String(), `"requestId":"`+id+`"`)
			require.Equal(t, "1", w.Header().Get("Retry-After"))
		})
	}
}

// If an error shortens a long field name, it does not cut through a character.
func TestErrorCutsLongFieldName(t *testing.T) {
	s, err := New(memstore.New(), Config{Authorize: func(*http.Request) (User, error) {
		return User{}, &Error{Field: strings.Repeat("x", 63) + "é and more", Code: InvalidValue, Message: "No."}
	}})
	require.NoError(t, err)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	require.Contains(t, w.Body.String(), `"field":"`+strings.Repeat("x", 63)+`"`)
}
