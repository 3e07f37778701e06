package storage

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// bodyOf is a body of the last bytes of content, from off on, that lies in
// memory; its checksum is computed, and held against want unless that is nil.
func bodyOf(t *testing.T, content string, off int, want *uint32) (body memoryBody, caller *bytes.Reader, sum **uint32) {
	t.Helper()
	caller, sum = bytes.NewReader([]byte(content)), new(*uint32)
	section := &sectionBody{}
	section.init(caller, int64(off), int64(len(content)-off))
	section.want, section.sum = want, sum
	body, ok := section.inMemory()
	require.True(t, ok)
	return body, caller, sum
}

func TestABodyInMemoryIsHandedOverInOnePiece(t *testing.T) {
	body, caller, sum := bodyOf(t, "before content", len("before "), nil)
	var moved int64
	body.moved = func(n int64) { moved += n }
	pieces := &pieces{}
	n, err := body.HandOver(pieces)
	require.NoError(t, err)
	require.EqualValues(t, len("content"), n)
	require.Equal(t, []string{"content"}, pieces.written)
	require.Equal(t, updateCRC(0, []byte("content")), **sum)
	require.True(t, body.ended)
	require.EqualValues(t, len("content"), moved)
	require.Equal(t, caller.Size(), int64(caller.Len()), "the caller's reader stays where it is")

	at, err := body.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	require.EqualValues(t, len("content"), at)
	_, err = body.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestABodyInMemoryThatIsNotWhatWasSaidIsNotHandedOver(t *testing.T) {
	wrong := uint32(1)
	body, _, _ := bodyOf(t, "content", 0, &wrong)
	pieces := &pieces{}
	for range 2 {
		n, err := body.HandOver(pieces)
		require.ErrorIs(t, err, ChecksumMismatch)
		require.Zero(t, n)
	}
	require.Empty(t, pieces.written)
	require.ErrorIs(t, body.failure(), ChecksumMismatch)
}

func TestABodyInMemoryCanBeHandedOverAgain(t *testing.T) {
	body, _, sum := bodyOf(t, "content", 0, nil)
	for range 2 {
		*sum = nil
		pieces := &pieces{}
		_, err := body.HandOver(pieces)
		require.NoError(t, err)
		require.Equal(t, []string{"content"}, pieces.written)
		require.Equal(t, updateCRC(0, []byte("content")), **sum)
		require.True(t, body.rewind())
	}
}

func TestABodyInMemoryHandsOverWhatWasNotReadYet(t *testing.T) {
	body, _, sum := bodyOf(t, "content", 0, nil)
	head := make([]byte, 3)
	_, err := io.ReadFull(body, head)
	require.NoError(t, err)
	pieces := &pieces{}
	_, err = body.HandOver(pieces)
	require.NoError(t, err)
	require.Equal(t, []string{"tent"}, pieces.written)
	require.Equal(t, updateCRC(0, []byte("content")), **sum)
}

func TestAWriterThatFailsFailsTheHandover(t *testing.T) {
	body, _, _ := bodyOf(t, "content", 0, nil)
	_, err := body.HandOver(&pieces{err: errFull})
	require.ErrorIs(t, err, errFull)
	require.Nil(t, body.failure(), "the body is not to blame")
}

func TestAStringIsNotHandedOver(t *testing.T) {
	section := &sectionBody{}
	section.init(strings.NewReader("content"), 0, 7)
	_, ok := section.inMemory()
	require.False(t, ok)
}

// bufferOf is a stream's bytes as they are read ahead.
func bufferOf(t *testing.T, content string) *buffer {
	t.Helper()
	b := newBuffer(&operation{core: &core{memory: NewMemory(1 << 20)}})
	require.ErrorIs(t, b.fill(t.Context(), strings.NewReader(content), lookAhead), io.EOF)
	t.Cleanup(b.free)
	return b
}

func TestAShortStreamThatWasReadAheadIsHandedOver(t *testing.T) {
	for name, content := range map[string]string{"one byte": "c", "a chunk": strings.Repeat("c", firstChunk)} {
		t.Run(name, func(t *testing.T) {
			section := &sectionBody{}
			section.init(bufferOf(t, content), 0, int64(len(content)))
			body, ok := section.inMemory()
			require.True(t, ok)
			for range 2 {
				pieces := &pieces{}
				n, err := body.HandOver(pieces)
				require.NoError(t, err)
				require.EqualValues(t, len(content), n)
				require.Equal(t, []string{content}, pieces.written)
				require.True(t, body.ended)
				require.True(t, body.rewind())
			}
		})
	}
}

func TestAStreamInNoOnePieceIsNotHandedOver(t *testing.T) {
	for name, content := range map[string]string{"nothing": "", "two chunks": strings.Repeat("c", firstChunk+1)} {
		t.Run(name, func(t *testing.T) {
			section := &sectionBody{}
			section.init(bufferOf(t, content), 0, int64(len(content)))
			_, ok := section.inMemory()
			require.False(t, ok)
		})
	}
}

var errFull = errors.New("full")

// pieces keeps what each Write brought.
type pieces struct {
	written []string
	err     error
}

func (p *pieces) Write(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	p.written = append(p.written, string(b))
	return len(b), nil
}
