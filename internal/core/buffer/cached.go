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
func (l *Limit) Lock() { l.mu.Lock() }

// Unlock unlocks the limit. Before that, it grants free memory to the buffers that wait, because a
// cache may have returned memory.
func (l *Limit) Unlock() {
	l.grantWaiting()
	l.mu.Unlock()
}

// Take grants bytes to a cache, and reports whether it did. It does not if a buffer is waiting for
// memory, or if the bytes exceed the limit. The caller must hold the lock.
func (l *Limit) Take(bytes int64) bool {
	if len(l.waiting) > 0 {
		return false
	}
	if l.used-l.evictable+bytes > l.Max {
		// The bytes would not fit even without cached memory, so evict none.
		return false
	}
	if !l.fits(bytes) {
		return false
	}
	l.used += bytes
	l.epoch++
	return true
}

// Keep tells the Limit that a piece of memory is cached memory. Take must have granted the memory.
// The Limit may evict it when a buffer needs memory. The caller must hold the lock.
func (l *Limit) Keep(c Cached) *list.Element {
	l.evictable += c.Memory()
	return l.cached.PushBack(c)
}

// Touch makes e the most recently used cached memory. The caller must hold the lock.
func (l *Limit) Touch(e *list.Element) { l.cached.MoveToBack(e) }

// Drop gives cached memory back to the limit. e is the result of Keep. The caller must hold the
// lock.
func (l *Limit) Drop(e *list.Element) {
	bytes := l.cached.Remove(e).(Cached).Memory()
	l.evictable -= bytes
	l.Forget(bytes)
}
