package encrypt

import (
	"encoding/binary"
	"hash/crc32"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chunkPool has buffers for encrypted chunks.
var chunkPool = sync.Pool{New: func() any { return new([sealedChunk]byte) }}

func newChunk() *[sealedChunk]byte { return chunkPool.Get().(*[sealedChunk]byte) }

func freeChunk(c *[sealedChunk]byte) { chunkPool.Put(c) }

// nonceOf returns the nonce of a chunk, as age's specification says: its index, and a last byte that is
// 1 only for the last chunk of an object.
func nonceOf(index int64, isLast bool) (nonce [chacha20poly1305.NonceSize]byte) {
	binary.BigEndian.PutUint64(nonce[3:], uint64(index))
	if isLast {
		nonce[len(nonce)-1] = 1
	}
	return nonce
}

// seal encrypts the first n bytes of chunk in place, and returns them with their tag.
func (k *dataKey) seal(chunk []byte, n int, index int64, last bool) []byte {
	nonce := nonceOf(index, last)
	return k.Seal(chunk[:0], nonce[:], chunk[:n], nil)
}

// unseal decrypts a chunk in place and checks its tag.
func (k *dataKey) unseal(chunk []byte, index int64, isLast bool) ([]byte, error) {
	nonce := nonceOf(index, isLast)
	plaintext, err := k.Open(chunk[:0], nonce[:], chunk, nil)
	if err != nil {
		return nil, errDamaged("the bytes are not those that were encrypted")
	}
	return plaintext, nil
}
