package encrypt

import (
	"errors"
	"sync"

	"github.com/omnibucket/storage"
)

// errBodyChanged returns the error for a part whose bytes differ from those that an earlier attempt has
// sent. Chunks with the same key and nonce would show how their plain bytes differ.
func errBodyChanged() error {
	return &storage.Error{
		Code: storage.BodyFailed,
		Err:  errors.New("the body has changed since an earlier attempt has sent it"),
		Hint: "upload a body that does not change meanwhile",
	}
}

// A sentPart has the tags of those chunks of a part that were sent. If two tags are equal, the
// chunks are equal.
type sentPart struct {
	mu   sync.Mutex
	tags [][tagSize]byte
}

// recordOfPart returns the record of a part's chunks that were already sent. If the part was
// not sent before, the record is empty.
func (k *dataKey) recordOfPart(number int) *sentPart {
	part, _ := k.unstored.LoadOrStore(number, &sentPart{})
	return part.(*sentPart)
}

// forgetPart deletes the record of a part's chunks. It is called when the store has the
// part.
func (k *dataKey) forgetPart(number int) { k.unstored.Delete(number) }

// recordChunk remembers the tag of a chunk that is sent for the first time. It returns false if an earlier attempt has
// sent a different chunk with the same nonce, so that this one must not be sent.
func (p *sentPart) recordChunk(index int64, sealed []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	tag := [tagSize]byte(sealed[len(sealed)-tagSize:])
	if index < int64(len(p.tags)) {
		return p.tags[index] == tag
	}
	// Tags are recorded in order. A Seek forward skips chunks, and the chunks after them are not
	// recorded.
	if index == int64(len(p.tags)) {
		p.tags = append(p.tags, tag)
	}
	return true
}
