package buffer

import "container/list"

// A Cached is memory of a cache. If a buffer needs it, the Limit drops it and calls Evicted, with
// its lock held.
type Cached interface {
	Memory() int64 // in bytes; does not change
	Evicted()
}

// Lock locks the limit and all caches that use it: a buffer that needs memory evicts from any.
func (m *Limit) Lock() { m.mu.Lock() }

// Unlock serves the buffers that wait, because a cache may have given memory back, and unlocks.
func (m *Limit) Unlock() {
	m.grant()
	m.mu.Unlock()
}

// Take grants bytes to a cache, unless a buffer waits for memory. The lock is held.
func (m *Limit) Take(bytes int64) bool {
	if len(m.waiting) > 0 || m.used-m.evicts+bytes > m.Max || !m.fits(bytes) {
		return false // otherwise cached memory would be evicted in vain
	}
	m.used += bytes
	m.epoch++
	return true
}

// Keep makes memory that was taken cached memory: from now on it gives way to buffers. The lock
// is held.
func (m *Limit) Keep(c Cached) *list.Element {
	m.evicts += c.Memory()
	return m.cached.PushBack(c)
}

// Touch makes e the most recently used of all cached memory. The lock is held.
func (m *Limit) Touch(e *list.Element) { m.cached.MoveToBack(e) }

// Drop gives back memory that Keep cached. The lock is held.
func (m *Limit) Drop(e *list.Element) {
	bytes := m.cached.Remove(e).(Cached).Memory()
	m.evicts -= bytes
	m.Forget(bytes)
}
