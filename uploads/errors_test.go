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
	"github.com/omnibucket/storage/uploads/internal/refusal"
)

// The table of codes in the documentation matches the code.
func TestCodesMatchDocumentation(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	rows := map[string][2]string{}
	for _, row := range regexp.MustCompile(`(?m)^//\t([A-Z]\w+) +\S.*? (\d{3})   (.+)$`).FindAllStringSubmatch(string(doc), -1) {
		rows[row[1]] = [2]string{row[2], row[3]}
	}

	require.Len(t, rows, len(refusal.Meanings))
	byStorage := map[storage.Code]string{
		storage.InvalidArgument: "InvalidArgument", storage.TooLarge: "TooLarge", storage.PermissionDenied: "PermissionDenied",
		storage.Unauthenticated: "Unauthenticated", storage.ObjectNotFound: "ObjectNotFound", storage.Internal: "Internal",
		storage.BodyFailed: "BodyFailed, Canceled", storage.Unavailable: "the store's", storage.PreconditionFailed: "PreconditionFailed",
		storage.Locked: "Locked", storage.ChecksumMismatch: "ChecksumMismatch",
	}
	require.LessOrEqual(t, len(refusal.Meanings), 28, "codes that a client treats the same are one")

	for code, m := range refusal.Meanings {
		var name strings.Builder
		for word := range strings.SplitSeq(string(code), "_") {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		wraps := byStorage[m.Storage]
		if code == refusal.CodeBusy {
			wraps = "Unavailable"
		}
		require.Equal(t, [2]string{fmt.Sprint(m.Status), wraps}, rows[name.String()], name.String())
	}
}

// The codes of this package are those of package refusal.
func TestCodesAreThoseOfRefusals(t *testing.T) {
	codes := []Code{
		NoFile, TooManyFiles, Empty, TooSmall, TooLarge, WrongSize, TypeNotAllowed, Damaged, ActiveContent, TooManyPixels,
		InvalidValue, InvalidRequest, NotUploaded, NotAllowed, Unauthenticated, Interrupted, StoreFailed, Internal, NotFound,
		PartsChanged, OffsetMismatch, ChecksumMismatch, Completed, Exists, Locked, Refused, Busy, OverAllowance,
	}
	require.Len(t, refusal.Meanings, len(codes))
	for _, code := range codes {
		require.Contains(t, refusal.Meanings, refusal.Code(code))
	}
}

// An uploads.Error has an uploads.Code, and also matches the storage.Code of its cause.
func TestErrorMatchesBothKindsOfCodes(t *testing.T) {
	tooLarge := publicError(refusal.OfFile(refusal.CodeTooManyPixels, "The picture is too large.").WithName("me.png"))
	refused := fmt.Errorf("taking the avatar: %w", tooLarge)
	require.Equal(t, TooManyPixels, CodeOf(refused))
	require.ErrorIs(t, refused, storage.TooLarge)
	require.EqualError(t, refused, "taking the avatar: uploads: file: too_many_pixels: The picture is too large.")

	cause := &storage.Error{Code: storage.RateLimited, Op: "Upload", Hint: "slow down"}
	storeErr := refusal.StoreFailed(cause)
	require.ErrorIs(t, storeErr, storage.RateLimited)
	require.NotContains(t, storeErr.Message, "slow down", "that is not for the person")
	require.ErrorContains(t, storeErr, "slow down")

	canceledErr := refusal.StoreFailed(&storage.Error{Code: storage.Canceled, Err: context.Canceled})
	require.Equal(t, refusal.CodeInterrupted, canceledErr.Code)
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
	tests := []struct {
		name, given string
		kept        bool
	}{
		{"one of the client's", "6f1f-A.b_c", true},
		{"none", "", false},
		{"one that would begin a line of a log", "a\tlevel=error", false},
		{"one that is too long", strings.Repeat("x", 129), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			w := httptest.NewRecorder()
			r.Header.Set("X-Request-Id", tt.given)
			s.ServeHTTP(w, r)

			id := w.Header().Get("X-Request-Id")
			require.NotEmpty(t, id)
			require.Equal(t, tt.kept, id == tt.given)
			require.Equal(t, tt.given, r.Header.Get("X-Request-Id"), "the request is the caller's")
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
