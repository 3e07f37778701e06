package encrypt

import (
	"errors"
	"sync"

	"github.com/omnibucket/storage"
)

// bodyChanged returns the error of a part whose bytes differ from those of an earlier attempt. The
// old and the new bytes would be encrypted with the same key and nonces. A store that has the old
// and the new bytes could compute how they differ.
func bodyChanged() error {
	return &storage.Error{
		Code: storage.BodyFailed, Err: errors.New("the body has changed since an earlier attempt has sent it"),
		Hint: "upload a body that does not change meanwhile",
	}
}

// A sentPart has the tags of those chunks of a part that were sent. If two tags are equal, the
// chunks are equal.
type sentPart struct {
	mu   sync.Mutex
	tags [][tagSize]byte
}

// sentPart returns the sentPart of a part. Earlier attempts to send the part may have filled it.
func (k *dataKey) sentPart(number int) *sentPart {
	part, _ := k.unstored.LoadOrStore(number, &sentPart{})
	return part.(*sentPart)
}

// stored forgets the tags of a part. It is called when the store has the part.
func (k *dataKey) stored(number int) { k.unstored.Delete(number) }

// same remembers the tag of a chunk that will be sent. It returns false if a different chunk was
// sent with the same nonce.
func (p *sentPart) same(index int64, sealed []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	tag := [tagSize]byte(sealed[len(sealed)-tagSize:])
	if index < int64(len(p.tags)) {
		return p.tags[index] == tag
	}
	if index == int64(len(p.tags)) { // tags are in order; after a Seek forward, the chunks between were not sent
		p.tags = append(p.tags, tag)
	}
	return true
}
