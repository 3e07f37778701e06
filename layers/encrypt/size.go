package encrypt

// age's payload is chunks of 64 KiB, each followed by a tag. Only the last one may be shorter, and only that
// of an empty object is empty.
const (
	chunkSize   = 64 << 10
	tagSize     = 16
	sealedChunk = chunkSize + tagSize
)

// sealedSize returns how many bytes the store has of an object, or of a part, of plain bytes; -1 if plain is
// -1.
func sealedSize(plain int64) int64 {
	if plain < 0 {
		return plain
	}
	return plain + max(1, (plain+chunkSize-1)/chunkSize)*tagSize
}

// plainSize returns the plain bytes of an object of which the store has sealed bytes. ok is false if no
// object has that size.
func plainSize(sealed int64) (plain int64, ok bool) {
	rest := sealed % sealedChunk
	chunks := sealed/sealedChunk + min(rest, 1)
	return sealed - chunks*tagSize, sealed == tagSize || sealed > 0 && (rest == 0 || rest > tagSize)
}

// mostPlain returns the greatest number of plain bytes that take at most sealed bytes. It returns 0, for
// no limit, if sealed is 0.
func mostPlain(sealed int64) int64 {
	if sealed == 0 {
		return 0
	}
	return max(1, sealed/sealedChunk*chunkSize+max(0, sealed%sealedChunk-tagSize))
}
