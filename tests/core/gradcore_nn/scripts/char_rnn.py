"""Names by a recurrent network, with a learning rate schedule and hidden state carried along."""

import torch
import torch.nn as nn
from torch.optim.lr_scheduler import CosineAnnealingLR

torch.manual_seed(3)
text = "anna bert carla dora emil frieda gustav hanna ida jakob "
vocab = sorted(set(text))
index = {c: i for i, c in enumerate(vocab)}
data = torch.tensor([index[c] for c in text])


class CharRNN(nn.Module):
    def __init__(self, vocab_size, hidden_size, num_layers=1):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden_size)
        self.lstm = nn.LSTM(hidden_size, hidden_size, num_layers, batch_first=True)
        self.head = nn.Linear(hidden_size, vocab_size)

    def forward(self, x, state=None):
        out, state = self.lstm(self.embed(x), state)
        return self.head(out.reshape(-1, out.size(2))), state


model = CharRNN(len(vocab), 24, num_layers=2)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)
scheduler = CosineAnnealingLR(optimizer, T_max=5)
for epoch in range(5):
    state = (torch.zeros(2, 1, 24), torch.zeros(2, 1, 24))
    total = 0.0
    for start in range(0, len(data) - 9, 8):
        x, y = data[start : start + 8].unsqueeze(0), data[start + 1 : start + 9]
        state = tuple(s.detach() for s in state)
        logits, state = model(x, state)
        loss = criterion(logits, y)
        model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        total += loss.item()
    scheduler.step()
    print(f"epoch {epoch} loss {total:.2f} lr {scheduler.get_last_lr()[0]:.5f}")
model.eval()
with torch.inference_mode():
    logits, _ = model(data[:4].unsqueeze(0))
    print(logits.shape, logits.requires_grad)
