package uploads

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

const (
	maxPieces = 1000
	// keepPieces is how long pieces stay after they were joined, so that a client that
	// lost the response can join them again.
	keepPieces = time.Hour
)

// concatTus handles POST for a file that is joined from pieces.
func (h *tus) concatTus(c *call, concat string) error {
	const field = "Upload-Concat"
	if len(c.Header.Values("Upload-Length")) > 0 || c.Header.Get("Upload-Defer-Length") != "" {
		return invalid("Upload-Length", "The length of a joined file is that of its pieces.")
	}
	addresses := strings.Fields(strings.TrimPrefix(concat, "final;"))
	if len(addresses) == 0 || len(addresses) > maxPieces {
		return invalid(field, "A joined file has from 1 to "+strconv.Itoa(maxPieces)+" pieces.")
	}
	n := Request{}
	if err := n.setMetadata(c.Header.Get("Upload-Metadata")); err != nil {
		return err
	}
	pieces := make([]*session, len(addresses))
	for i, address := range addresses {
		address = strings.TrimSuffix(address, "/")
		piece, err := h.keeper.load(c.Context(), address[strings.LastIndexByte(address, '/')+1:], c.user)
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound, err == nil && piece.Kind != kindPartial:
			return refuse(field, InvalidValue, "Piece "+strconv.Itoa(i+1)+" does not exist.")
		case err != nil:
			return err
		case piece.Phase != phaseDone:
			return refuse(field, NotUploaded, "Piece "+strconv.Itoa(i+1)+" has not arrived completely.")
		}
		pieces[i] = piece
		n.Size += piece.Size
	}
	s, err := h.joinedBefore(c, pieces[0], concat)
	if err == nil && s == nil {
		s, err = h.beginJoining(c, n, concat, pieces)
	}
	if err != nil {
		return err
	}
	if s.Phase != phaseDone {
		if s, err = h.finishTus(c.Context(), s, nil); err != nil {
			return err
		}
	}
	for _, piece := range pieces {
		h.expireSoon(c.Context(), piece)
	}
	c.w.Header().Set("Location", h.location(c, s.id))
	h.writeOffset(c, s)
	c.w.WriteHeader(http.StatusCreated)
	return nil
}

// joinedBefore returns the upload of an equal request, or nil. Its response was lost, or the
// process was killed, and the client knows nothing of the upload.
func (h *tus) joinedBefore(c *call, first *session, concat string) (*session, error) {
	if first.Tus.Final == "" {
		return nil, nil
	}
	s, err := h.keeper.load(c.Context(), first.Tus.Final, c.user)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return nil, nil
	case err != nil:
		return nil, err
	case s.Kind != kindFinal || s.Tus.Concat != concat || s.Tus.RawMetadata != c.Header.Get("Upload-Metadata"):
		return nil, nil
	}
	return s, nil
}

// beginJoining saves a new upload of pieces, and its ID in the first of them.
func (h *tus) beginJoining(c *call, n Request, concat string, pieces []*session) (*session, error) {
	s, err := h.keeper.begin(c, kindFinal, n, "Upload-Concat")
	if err != nil {
		return nil, err
	}
	s.Tus = &tusState{RawMetadata: c.Header.Get("Upload-Metadata"), Concat: concat, Offset: n.Size}
	for _, piece := range pieces {
		s.Tus.Pieces = append(s.Tus.Pieces, piece.name)
	}
	if err := h.keeper.save(c.Context(), s); err != nil {
		return nil, err
	}
	pieces[0], err = h.keeper.update(c.Context(), pieces[0], func(first *session) (bool, error) {
		if first.Phase != phaseDone {
			return false, notFound()
		}
		first.Tus.Final = s.id
		return true, nil
	})
	return s, err
}

// joinPieces makes the object of a session from its pieces.
func (h *tus) joinPieces(s *session) maker {
	return func(ctx context.Context, key string) (*storage.Attrs, error) {
		keys := make([]string, len(s.Tus.Pieces))
		for i, name := range s.Tus.Pieces {
			keys[i] = h.keeper.objectKey(&session{name: name}, contentName)
		}
		return storage.Compose(ctx, h.bucket, key, keys, optionsFor[storage.CopyOption](h.keeper.firstTarget(s), s.writeID())...)
	}
}

// expireSoon lets a piece that was joined expire after keepPieces. A failure costs only
// space until it expires anyway.
func (h *tus) expireSoon(ctx context.Context, piece *session) {
	at := h.config.Now().Add(keepPieces).UTC().Truncate(time.Second)
	_, _ = h.keeper.update(ctx, piece, func(s *session) (bool, error) {
		if s.Phase != phaseDone || s.Expires.Before(at) {
			return false, nil
		}
		s.Expires = at
		return true, nil
	})
}
