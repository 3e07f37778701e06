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

// The documentation of the package has a table of codes. The table has the right status and
// storage.Code for each code.
func TestCodesMatchDocumentation(t *testing.T) {
	// The values are the texts by which the table names each storage.Code.
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

	// Compare each code with its row.
	rows := readDocumentedCodes(t)
	require.Len(t, rows, len(refusal.Meanings))
	for code, meaning := range refusal.Meanings {
		want := documentedCode{status: fmt.Sprint(meaning.Status), wraps: wraps[meaning.Storage]}
		if code == refusal.CodeBusy {
			want.wraps = "Unavailable" // it is always this code of the store
		}
		name := constantName(code)
		require.Equal(t, want, rows[name], name)
	}
}

// A documentedCode has the last two columns of a row in the table of codes. These are the status,
// and the storage.Code that the code wraps.
type documentedCode struct {
	status string
	wraps  string
}

// readDocumentedCodes reads the table of codes in doc.go. The keys of the returned map are names of
// constants.
func readDocumentedCodes(t *testing.T) map[string]documentedCode {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)

	// A row has a constant, its meaning, its status and the storage.Code that it wraps.
	row := regexp.MustCompile(`(?m)^//\t([A-Z]\w+) +\S.*? (\d{3})   (.+)$`)
	codes := map[string]documentedCode{}
	for _, match := range row.FindAllStringSubmatch(string(doc), -1) {
		codes[match[1]] = documentedCode{status: match[2], wraps: match[3]}
	}
	return codes
}

// constantName returns the name of the constant of a code, such as TooLarge for "too_large".
func constantName(code refusal.Code) (name string) {
	for word := range strings.SplitSeq(string(code), "_") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	return name
}

// There are only a few codes. If a client treats several errors in the same way, they must have the
// same code.
func TestCodesAreFew(t *testing.T) {
	const maxCodes = 28
	require.LessOrEqual(t, len(refusal.Meanings), maxCodes)
}

// The package has exactly one constant for each code of package refusal, and no other code.
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

// A refusal has a Code of this package, and also matches a storage.Code.
func TestErrorMatchesBothKindsOfCodes(t *testing.T) {
	tooLarge := publicError(refusal.OfFile(refusal.CodeTooManyPixels, "The picture is too large.").WithName("me.png"))
	err := fmt.Errorf("taking the avatar: %w", tooLarge)
	require.Equal(t, TooManyPixels, CodeOf(err))
	require.ErrorIs(t, err, storage.TooLarge)
	require.EqualError(t, err, "taking the avatar: uploads: file: too_many_pixels: The picture is too large.")
}

// An error of the store is kept as the cause, but its text is not in the message for the client.
func TestErrorHidesTextOfStore(t *testing.T) {
	cause := &storage.Error{Code: storage.RateLimited, Op: "Upload", Hint: "slow down"}
	err := refusal.StoreFailed(cause)
	require.ErrorIs(t, err, storage.RateLimited)
	require.ErrorContains(t, err, "slow down")
	require.NotContains(t, err.Message, "slow down")
}

// The error of a canceled call has the code CodeInterrupted.
func TestErrorOfCanceledCall(t *testing.T) {
	err := refusal.StoreFailed(&storage.Error{Code: storage.Canceled, Err: context.Canceled})
	require.Equal(t, refusal.CodeInterrupted, err.Code)
}

// CodeOf returns no Code for an error of another package, and none for nil.
func TestCodeOfOtherErrors(t *testing.T) {
	require.Equal(t, Code(""), CodeOf(errors.New("another's")))
	require.Equal(t, Code(""), CodeOf(nil))
}

// The ID of a request is in the header and the document of its response, and in the request that OnError gets.
func TestRequestIDs(t *testing.T) {
	// Each request fails in Authorize. This makes the service call OnError.
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

			// If the ID of the request is not valid, the service makes one.
			id := w.Header().Get("X-Request-Id")
			require.NotEmpty(t, id)
			require.Equal(t, tt.isValid, id == tt.id)
			require.Equal(t, tt.id, r.Header.Get("X-Request-Id"), "the caller's request was changed")

			// OnError and the document have the same ID.
			require.Equal(t, id, logged)
			require.Contains(t, w.Body.String(), `"requestId":"`+id+`"`)
			require.Equal(t, "1", w.Header().Get("Retry-After"))
		})
	}
}

// The name of a field in a response has at most 64 bytes. A longer name is cut between two
// characters.
func TestErrorCutsLongFieldName(t *testing.T) {
	const beforeCharacter = 63 // bytes; the next character has two
	start := strings.Repeat("x", beforeCharacter)
	s, err := New(memstore.New(), Config{Authorize: func(*http.Request) (User, error) {
		return User{}, &Error{Field: start + "é and more", Code: InvalidValue, Message: "No."}
	}})
	require.NoError(t, err)

	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	require.Contains(t, w.Body.String(), `"field":"`+start+`"`)
}
