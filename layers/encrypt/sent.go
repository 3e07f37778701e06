package encrypt

import (
	"errors"
	"sync"

	"github.com/omnibucket/storage"
)

// bodyChanged returns the error of a part whose bytes differ from those of an earlier attempt. They would be
// encrypted with the same key and nonces, and the store, which may have both, could see their difference.
func bodyChanged() error {
	return &storage.Error{
		Code: storage.BodyFailed, Err: errors.New("the body has changed since an earlier attempt has sent it"),
		Hint: "upload a body that does not change meanwhile",
	}
}

// A sentPart has the tags of the chunks of a part that were sent. Equal tags mean equal chunks.
type sentPart struct {
	mu   sync.Mutex
	tags [][tagSize]byte
}

// sentPart returns the sentPart of a part, which earlier attempts may have begun.
func (k *dataKey) sentPart(number int) *sentPart {
	part, _ := k.unstored.LoadOrStore(number, &sentPart{})
	return part.(*sentPart)
}

// stored is called when the store has a part.
func (k *dataKey) stored(number int) { k.unstored.Delete(number) }

// same keeps the tag of a chunk. It reports false if another chunk was sent with the same nonce.
func (p *sentPart) same(index int64, sealed []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	tag := [tagSize]byte(sealed[len(sealed)-tagSize:])
	if index < int64(len(p.tags)) {
		return p.tags[index] == tag
	}
	if index == int64(len(p.tags)) { // in order; after a Seek forward, the chunks between were not sent
		p.tags = append(p.tags, tag)
	}
	return true
}
