package encrypt

// These are sizes in bytes. The payload of an age file consists of chunks of 64 KiB. A tag follows
// each chunk. Only the last chunk may be shorter. The last chunk is empty only if the object is
// empty.
const (
	chunkSize   = 64 << 10
	tagSize     = 16
	sealedChunk = chunkSize + tagSize
)

// sealedSize returns the encrypted size of an object or part with the given number of plain bytes, or
// -1 if that is -1, for unknown.
func sealedSize(size int64) int64 {
	if size < 0 {
		return size
	}
	return size + chunkCount(size)*tagSize
}

// chunkCount returns the number of chunks of an object or part with the given number of plain bytes. An
// empty one has one chunk.
func chunkCount(size int64) int64 { return max(1, (size+chunkSize-1)/chunkSize) }

// plainSize returns the number of plain bytes in an object of the given encrypted size. ok is false if
// no encrypted object has that size.
func plainSize(sealed int64) (plain int64, ok bool) {
	if sealed <= 0 {
		return 0, false
	}

	inWholeChunks := sealed / sealedChunk * chunkSize
	lastSealed := sealed % sealedChunk // size of a last chunk that is not full
	if lastSealed == 0 {
		return inWholeChunks, true
	}
	// Only the chunk of an empty object may be a tag without data.
	isEmpty := sealed == tagSize
	if lastSealed <= tagSize && !isEmpty {
		return 0, false
	}
	return inWholeChunks + lastSealed - tagSize, true
}

// plainLimit returns how many plain bytes, but at least one, fit into sealed bytes of the store. In
// both, 0 means no limit.
func plainLimit(sealed int64) int64 {
	if sealed == 0 {
		return 0
	}

	inWholeChunks := sealed / sealedChunk * chunkSize
	inLastChunk := max(0, sealed%sealedChunk-tagSize)
	return max(1, inWholeChunks+inLastChunk)
}
