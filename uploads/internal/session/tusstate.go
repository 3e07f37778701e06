package session

import "time"

// A TusState is the part of a session's state that only a tus upload has.
type TusState struct {
	// Offset is the number of bytes that have arrived. The first bytes are in complete parts of
	// PartSize bytes each. The field Parts is the number of these parts. The remaining bytes are in
	// the segments of Tail. If the file is complete, Parts and Tail do not matter.
	Offset int64     `json:"offset"`
	Parts  int       `json:"parts,omitempty"`
	Tail   []Segment `json:"tail,omitempty"`
	CRC    uint32    `json:"crc,omitempty"` // CRC32C of the first Offset bytes
	// Whole is true while a call stores the whole file from memory. If the call is killed, the
	// object may exist.
	Whole bool `json:"storingWhole,omitempty"`

	RawMetadata string   `json:"rawMetadata,omitempty"`
	Concat      string   `json:"concat,omitempty"` // value of the header Upload-Concat
	Pieces      []string `json:"pieces,omitempty"` // names of the sessions whose files are joined
	Joined      bool     `json:"joined,omitempty"` // true if the bytes of this piece were joined and removed

	// Holder is the ID of the request that receives bytes for this upload. Held is the time at
	// which this request last wrote the state.
	Holder string    `json:"holder,omitempty"`
	Held   time.Time `json:"held,omitzero"`
}

// A Segment is a small object with bytes that follow the last part.
type Segment struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// TailNames returns the names of the segments of a tus upload. Any other session has none.
func (s *Session) TailNames() []string {
	if s.Tus == nil {
		return nil
	}
	var names []string
	for _, segment := range s.Tus.Tail {
		names = append(names, segment.Name)
	}
	return names
}
