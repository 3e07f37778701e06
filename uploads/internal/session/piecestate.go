package session

import "github.com/omnibucket/storage/uploads/internal/keypattern"

// PieceState is the part of a session's state that only an upload in pieces has.
type PieceState struct {
	Count int `json:"count"`
	// Target is true if the application set Piece.Target.
	Target bool `json:"target,omitempty"`
	// Run is a random text in the keys of this upload's pieces. An earlier upload with the same
	// token had another Run, so its pieces have other keys. If a Sweep is still removing the old
	// pieces, the Sweep does not remove the pieces of this upload.
	Run string `json:"run"`
	// Asked is set by a Sweep that found the upload idle and is about to remove it. A call that
	// continues the upload clears Asked, and Sweep then keeps the upload.
	Asked string `json:"asked,omitempty"`
}

// RunID returns the random part of the keys of a session's pieces, or "" for a session without pieces.
func (s *Session) RunID() string {
	if s.Pieces == nil {
		return ""
	}
	return PiecePrefix + s.Pieces.Run + "/"
}

// Extension returns the extension for the key of a file in pieces, or "" for any other session.
func (s *Session) Extension() string {
	if s.Pieces == nil {
		return ""
	}
	return keypattern.ExtensionOf(s.Name)
}
