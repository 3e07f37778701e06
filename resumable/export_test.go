package resumable

import "time"

// BasePart is the size of parts of files that are not huge.
const BasePart = basePart

// SetPace makes a handler impatient.
func (h *Handler) SetPace(tick, checkpoint, idle time.Duration) {
	h.pace.tick, h.pace.checkpoint, h.pace.idle = tick, checkpoint, idle
}
