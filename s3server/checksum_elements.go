package s3server

// checksumElements is a checksum in XML.
type checksumElements struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumSHA512    string `xml:",omitempty"`
	ChecksumMD5       string `xml:",omitempty"`
}

// missingElements are those that no upload of this server can have.
type missingElements struct {
	ChecksumXXHASH64, ChecksumXXHASH3, ChecksumXXHASH128 string
}

// of returns the element for a kind.
func (e *checksumElements) of(kind *checksumKind) *string {
	switch kind.name {
	case "CRC32":
		return &e.ChecksumCRC32
	case "CRC32C":
		return &e.ChecksumCRC32C
	case "CRC64NVME":
		return &e.ChecksumCRC64NVME
	case "SHA1":
		return &e.ChecksumSHA1
	case "SHA512":
		return &e.ChecksumSHA512
	case "MD5":
		return &e.ChecksumMD5
	}
	return &e.ChecksumSHA256
}

func elementsOf(sum checksum) (e checksumElements) {
	if sum.kind != nil {
		*e.of(sum.kind) = sum.value
	}
	return e
}
