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

// The table of codes in the package documentation has the status and the storage.Code of each code.
func TestCodesMatchDocumentation(t *testing.T) {
	// Read the table.
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)

	// A row of the table has a code, its meaning, its status and the storage.Code that it wraps.
	type row struct {
		status string
		wraps  string
	}
	rows := map[string]row{} // by code
	rowPattern := regexp.MustCompile(`(?m)^//\t([A-Z]\w+) +\S.*? (\d{3})   (.+)$`)
	for _, match := range rowPattern.FindAllStringSubmatch(string(doc), -1) {
		rows[match[1]] = row{status: match[2], wraps: match[3]}
	}

	require.Len(t, rows, len(refusal.Meanings))

	// The table writes each storage.Code like this.
	wraps := map[storage.Code]string{
		storage.InvalidArgument:    "InvalidArgument",
		storage.TooLarge:           "TooLarge",
		storage.PermissionDenied:   "PermissionDenied",
		storage.Unauthenticated:    "Unauthenticated",
		storage.ObjectNotFound:     "ObjectNotFound",
		storage.Internal:           "Internal",
		storage.BodyFailed:         "BodyFailed, Canceled",
		storage.Unavailable:        "the store's",
		storage.PreconditionFailed: "PreconditionFailed",
		storage.Locked:             "Locked",
		storage.ChecksumMismatch:   "ChecksumMismatch",
	}

	const maxCodes = 28
	require.LessOrEqual(t, len(refusal.Meanings), maxCodes, "codes that a client treats in the same way must be one")

	// Compare each code with its row.
	for code, meaning := range refusal.Meanings {
		// The name of the constant for "too_large" is TooLarge.
		name := ""
		for word := range strings.SplitSeq(string(code), "_") {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		want := row{status: fmt.Sprint(meaning.Status), wraps: wraps[meaning.Storage]}
		if code == refusal.CodeBusy {
			// The code of the store is always Unavailable.
			want.wraps = "Unavailable"
		}
		require.Equal(t, want, rows[name], name)
	}
}

// The package has a constant for every code of package refusal, and no others.
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

// An error of this package has a Code, and also matches the storage.Code of its cause.
func TestErrorMatchesBothKindsOfCodes(t *testing.T) {
	// A refusal has a Code of this package, and matches a storage.Code.
	tooLarge := publicError(refusal.OfFile(refusal.CodeTooManyPixels, "The picture is too large.").WithName("me.png"))
	refused := fmt.Errorf("taking the avatar: %w", tooLarge)
	require.Equal(t, TooManyPixels, CodeOf(refused))
	require.ErrorIs(t, refused, storage.TooLarge)
	require.EqualError(t, refused, "taking the avatar: uploads: file: too_many_pixels: The picture is too large.")

	// An error of the store stays as the cause, but its text is not in the message for the client.
	cause := &storage.Error{Code: storage.RateLimited, Op: "Upload", Hint: "slow down"}
	storeErr := refusal.StoreFailed(cause)
	require.ErrorIs(t, storeErr, storage.RateLimited)
	require.NotContains(t, storeErr.Message, "slow down")
	require.ErrorContains(t, storeErr, "slow down")

	// A call that was canceled has a Code of its own.
	canceledErr := refusal.StoreFailed(&storage.Error{Code: storage.Canceled, Err: context.Canceled})
	require.Equal(t, refusal.CodeInterrupted, canceledErr.Code)

	// Other errors have no Code.
	require.Equal(t, Code(""), CodeOf(errors.New("another's")))
	require.Equal(t, Code(""), CodeOf(nil))
}

// The ID of a request is in the header and the document of its response, and in the request that OnError gets.
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
		name    string
		id      string // ID in the request
		isValid bool   // whether the response has the same ID
	}{
		{name: "an ID of the client", id: "6f1f-A.b_c", isValid: true},
		{name: "no ID", id: "", isValid: false},
		{name: "an ID that would forge a field of a log", id: "a\tlevel=error", isValid: false},
		{name: "an ID that is too long", id: strings.Repeat("x", 129), isValid: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			w := httptest.NewRecorder()
			r.Header.Set("X-Request-Id", tt.id)
			s.ServeHTTP(w, r)

			// Without a valid ID, the service makes one.
			id := w.Header().Get("X-Request-Id")
			require.NotEmpty(t, id)
			require.Equal(t, tt.isValid, id == tt.id)
			require.Equal(t, tt.id, r.Header.Get("X-Request-Id"), "the caller's request was changed")
			require.Equal(t, id, logged)
			require.Contains(t, w.Body.String(), `"requestId":"`+id+`"`)
			require.Equal(t, "1", w.Header().Get("Retry-After"))
		})
	}
}

// An error that shortens the long name of a field does not cut through a character.
func TestErrorCutsLongFieldName(t *testing.T) {
	s, err := New(memstore.New(), Config{Authorize: func(*http.Request) (User, error) {
		return User{}, &Error{Field: strings.Repeat("x", 63) + "é and more", Code: InvalidValue, Message: "No."}
	}})
	require.NoError(t, err)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	require.Contains(t, w.Body.String(), `"field":"`+strings.Repeat("x", 63)+`"`)
}
