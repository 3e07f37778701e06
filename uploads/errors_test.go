package uploads

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func TestTheTableInTheDocumentationMatchesTheCode(t *testing.T) {
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
	}
	for code, m := range meanings {
		var name strings.Builder
		for word := range strings.SplitSeq(string(code), "_") {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
		require.Equal(t, [2]string{fmt.Sprint(m.Status), byStorage[m.Storage]}, rows[name.String()], name.String())
	}
}

func TestErrorsMatchBothKindsOfCodes(t *testing.T) {
	refused := fmt.Errorf("taking the avatar: %w", refuse(TooManyPixels, "The picture is too large.").about("me.png"))
	require.Equal(t, TooManyPixels, CodeOf(refused))
	require.ErrorIs(t, refused, storage.TooLarge)
	require.EqualError(t, refused, "taking the avatar: uploads: file: too_many_pixels: The picture is too large.")

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
