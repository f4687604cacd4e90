package activities

// Asking is how many executions of SendWebhook ask something of Temporal now: for the event, or to
// have an attempt recorded or its outcome. Those that make their request, or wait for a turn, do
// not count. A worker that begins no more while there are many does not let a backlog become a
// storm of questions, each of which is answered too late and asked again.
func (a *Activities) Asking() int64 { return a.asking.Load() }

// aside runs what asks nothing of Temporal.
func (a *Activities) aside(f func()) {
	a.asking.Add(-1)
	defer a.asking.Add(1)
	f()
}
