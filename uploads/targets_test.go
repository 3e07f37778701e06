package uploads_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// A textSender stores a text as a file, and returns the file.
type textSender func(
	ctx context.Context, s *uploads.Service, text string, target *uploads.Target,
) (*uploads.File, error)

// A Target decides the attributes with which a file is stored. The rules decide its key and its type if the Target
// does not.
func TestTargetDecidesHowFileIsStored(t *testing.T) {
	const maxSize = 100
	target := uploads.Target{CacheControl: "no-store", Metadata: map[string]string{"case": "42"}, MaxSize: maxSize}
	onlyText := rules.Rules{Types: []string{"text/plain"}}
	tests := []struct {
		name                   string
		rules                  rules.Rules
		send                   textSender
		wantContentDisposition string // Rules that look at content store text as an attachment.
	}{
		{name: "Store", rules: rules.Any(0), send: storeText},
		{name: "Store, with rules", rules: onlyText, send: storeText, wantContentDisposition: "attachment"},
		{name: "PutPiece", rules: rules.Any(0), send: putTextAsPiece},
		{name: "PutPiece, with rules", rules: onlyText, send: putTextAsPiece, wantContentDisposition: "attachment"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			s := newService(t, bucket, uploads.Config{Rules: tt.rules, Key: "{user}/{random}{ext}"})

			// A file may not be larger than the Target permits.
			_, err := tt.send(t.Context(), s, strings.Repeat("x", maxSize+1), &target)
			require.Equal(t, uploads.TooLarge, uploads.CodeOf(err))

			// The key and the type of the file come from its content.
			f, err := tt.send(t.Context(), s, "some text", &target)
			require.NoError(t, err)
			require.Regexp(t, `^alice/[a-z2-7]{26}\.txt$`, f.Key)
			attrs, err := bucket.Attrs(t.Context(), f.Key)
			require.NoError(t, err)
			require.Equal(t, "text/plain; charset=utf-8", attrs.ContentType)
			require.Equal(t, tt.wantContentDisposition, attrs.ContentDisposition)

			// The other attributes come from the Target.
			require.Equal(t, target.CacheControl, attrs.CacheControl)
			require.Equal(t, target.Metadata, attrs.Metadata)
		})
	}
}

// storeText stores a.txt with Store.
func storeText(
	ctx context.Context, s *uploads.Service, text string, target *uploads.Target,
) (*uploads.File, error) {
	return s.Store(ctx, uploads.Upload{
		Body:   strings.NewReader(text),
		Name:   "a.txt",
		User:   uploads.User{ID: alice},
		Target: target,
	})
}

// putTextAsPiece stores a.txt with PutPiece, as its only piece.
func putTextAsPiece(
	ctx context.Context, s *uploads.Service, text string, target *uploads.Target,
) (*uploads.File, error) {
	p := piece(1).of(1, text)
	p.Target = target
	p.Name = "a.txt"
	return s.PutPiece(ctx, p)
}

// Store refuses a Target with a Key if Config.Key chooses the keys.
func TestStoreRefusesTargetWithKey(t *testing.T) {
	s := newPieceService(t, memstore.New(), uploads.Config{})
	_, err := s.Store(t.Context(), uploads.Upload{
		Body:   strings.NewReader("x"),
		User:   uploads.User{ID: alice},
		Target: &uploads.Target{Key: "mine"},
	})
	require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err))
	require.ErrorIs(t, err, storage.InvalidArgument)
}
