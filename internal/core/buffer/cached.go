package buffer

import "container/list"

// A Cached is a piece of cached memory, such as a block. If a buffer needs the memory, the Limit
// takes it, and calls Evicted while the Limit is locked.
type Cached interface {
	Memory() int64 // in bytes; always the same
	Evicted()
}

// Lock locks the limit and all caches that use it. They share one lock, because a buffer that needs
// memory may evict blocks of any cache.
func (m *Limit) Lock() { m.mu.Lock() }

// Unlock unlocks the limit. Before that, it grants free memory to the buffers that wait, because a
// cache may have returned memory.
func (m *Limit) Unlock() {
	m.grantWaiting()
	m.mu.Unlock()
}

// Take grants bytes to a cache, and reports whether it did. It does not if a buffer is waiting for
// memory, or if the bytes exceed the limit. The caller must hold the lock.
func (m *Limit) Take(bytes int64) bool {
	if len(m.waiting) > 0 {
		return false
	}
	if m.used-m.evicts+bytes > m.Max {
		// The bytes would not fit even without cached memory, so evict none.
		return false
	}
	if !m.fits(bytes) {
		return false
	}
	m.used += bytes
	m.epoch++
	return true
}

// Keep tells the Limit that a piece of memory is cached memory. Take must have granted the memory.
// The Limit may evict it when a buffer needs memory. The caller must hold the lock.
func (m *Limit) Keep(c Cached) *list.Element {
	m.evicts += c.Memory()
	return m.cached.PushBack(c)
}

// Touch makes e the most recently used cached memory. The caller must hold the lock.
func (m *Limit) Touch(e *list.Element) { m.cached.MoveToBack(e) }

// Drop gives cached memory back to the limit. e is the result of Keep. The caller must hold the
// lock.
func (m *Limit) Drop(e *list.Element) {
	bytes := m.cached.Remove(e).(Cached).Memory()
	m.evicts -= bytes
	m.Forget(bytes)
}
