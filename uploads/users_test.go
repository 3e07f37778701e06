package uploads_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// changedIDs are IDs of users that PostgreSQL or JSON would change.
var changedIDs = []string{"zero\x00byte", "invalid\xffUTF-8"}

// An ID of a user that JSON or PostgreSQL would change is refused before anything is stored. Otherwise, it could become
// the ID of another user.
func TestUserIDIsCheckedEarly(t *testing.T) {
	for _, way := range waysOfUser {
		t.Run(way.name, func(t *testing.T) {
			for _, id := range changedIDs {
				bucket := memstore.New(storage.WithSigningBaseURL("https://store.example"))
				requireUserRefused(t, bucket, id, uploads.Config{}, way)
			}
		})
	}
}

// With Config.Begin, which chooses the keys of files, the handler refuses invalid IDs of users, too.
func TestUserIDIsCheckedBeforeBegin(t *testing.T) {
	begin := func(*http.Request, uploads.User, uploads.Request) (*uploads.Target, error) {
		return &uploads.Target{Key: "files/a"}, nil
	}
	for _, way := range waysOfUser {
		// The other ways do not call Begin.
		if !way.isOfHandler {
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			for _, id := range changedIDs {
				bucket := memstore.New(storage.WithSigningBaseURL("https://store.example"))
				requireUserRefused(t, bucket, id, uploads.Config{Begin: begin}, way)
			}
		})
	}
}

// With Config.Records, an ID of more than 2048 bytes is refused.
func TestUserIDOfRecordHasLimit(t *testing.T) {
	longID := strings.Repeat("a", 2049)
	for _, way := range waysOfUser {
		t.Run(way.name, func(t *testing.T) {
			bucket := memstore.New(storage.WithSigningBaseURL("https://store.example"))
			requireUserRefused(t, bucket, longID, uploads.Config{Records: uploads.BucketRecords(bucket)}, way)
		})
	}
}

// requireUserRefused requires that an upload of a user with this ID fails with the status 500, and that nothing is
// stored.
func requireUserRefused(t *testing.T, bucket storage.Bucket, id string, c uploads.Config, way wayOfUser) {
	t.Helper()
	user := uploads.User{ID: id}
	c.Rules = rules.Any(0)
	c.Authorize = func(*http.Request) (uploads.User, error) { return user, nil }
	s := newService(t, bucket, c)

	require.Equal(t, http.StatusInternalServerError, way.begin(t.Context(), s, user), "%q", id)
	require.Empty(t, listKeys(t, bucket))
}

// A wayOfUser begins an upload of a user, and returns the HTTP status of the result.
type wayOfUser struct {
	name        string
	begin       func(ctx context.Context, s *uploads.Service, user uploads.User) (status int)
	isOfHandler bool // Config.Authorize returns the user
}

var waysOfUser = []wayOfUser{
	{name: "Store", begin: storeOfUser},
	{name: "a piece", begin: putPieceOfUser},
	{name: "a ticket", begin: signOfUser},
	{name: "tus", begin: beginTusOfUser, isOfHandler: true},
	{name: "parts", begin: beginMultipartOfUser, isOfHandler: true},
}

func storeOfUser(ctx context.Context, s *uploads.Service, user uploads.User) int {
	_, err := s.Store(ctx, uploads.Upload{Body: strings.NewReader("x"), User: user})
	return httpStatusOf(err)
}

func putPieceOfUser(ctx context.Context, s *uploads.Service, user uploads.User) int {
	p := piece(1).of(1, "x")
	p.User = user
	_, err := s.PutPiece(ctx, p)
	return httpStatusOf(err)
}

func signOfUser(ctx context.Context, s *uploads.Service, user uploads.User) int {
	_, err := s.Sign(ctx, uploads.Request{}, user)
	return httpStatusOf(err)
}

func beginTusOfUser(_ context.Context, s *uploads.Service, _ uploads.User) int {
	return request(s, "POST", "/tus/", "", "Tus-Resumable", "1.0.0", "Upload-Length", "3").Code
}

func beginMultipartOfUser(_ context.Context, s *uploads.Service, _ uploads.User) int {
	return request(s, "POST", "/s3/multipart", "{}", "Content-Type", "application/json").Code
}

// httpStatusOf returns the status of a response with this error.
func httpStatusOf(err error) int {
	if uploadErr, ok := err.(*uploads.Error); ok {
		return uploadErr.HTTPStatus()
	}
	return http.StatusOK
}
