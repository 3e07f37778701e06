package resumable

import (
	"time"

	"github.com/omnibucket/storage/internal/partsize"
)

// BasePart is the size of parts of files that are not huge.
const BasePart = partsize.Base

// SetBasePart makes the parts of a handler smaller.
func (h *Handler) SetBasePart(bytes int64) { h.basePart = bytes }

// SetPace makes a handler impatient.
func (h *Handler) SetPace(tick, checkpoint, idle time.Duration) {
	h.pace.tick, h.pace.checkpoint, h.pace.idle = tick, checkpoint, idle
}

// SetClaim makes claims shorter.
func (h *Handler) SetClaim(d time.Duration) { h.claimFor = d }

// SetMemory changes Config.MemoryLimit to any number of bytes.
func (h *Handler) SetMemory(bytes int64) { h.memory.limit = bytes }

// MemoryUsed returns how many bytes of buffers there are.
func (h *Handler) MemoryUsed() int64 {
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	return h.memory.used
}
